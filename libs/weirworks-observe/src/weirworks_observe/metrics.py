"""The Prometheus page of a process."""

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import start_http_server


def new_registry() -> CollectorRegistry:
    """A registry with the process's own figures (CPU, memory, files) and nothing global."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def serve_metrics(registry: CollectorRegistry, host: str, port: int) -> int:
    """Serves `/metrics` on a daemon thread; returns the port, chosen when `port` is 0."""
    server, _thread = start_http_server(port, host, registry)
    return server.server_port
