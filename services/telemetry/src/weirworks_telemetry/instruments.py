"""The metrics of the telemetry service."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Instruments:
    """`outcome` is `stored` or `duplicate`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter("weirworks_telemetry_events", "Events received.", ["outcome"], registry=registry)
        self.waiting = Gauge("weirworks_telemetry_buffer_rows", "Rows that wait for a commit.", registry=registry)
