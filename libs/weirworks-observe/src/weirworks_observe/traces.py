"""Traces of this process, sent to telemetry over OTLP."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased


def set_up_traces(service: str, address: str, ratio: float) -> TracerProvider:
    """Samples `ratio` of the traces that begin here and exports them to `address` in the background.

    The caller shuts the provider down at the end, which flushes what waits.
    """
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"weirworks-{service}"}),
        sampler=ParentBased(TraceIdRatioBased(ratio)),
    )
    exporter = OTLPSpanExporter(endpoint=address, insecure=True, timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider
