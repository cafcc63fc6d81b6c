"""The metrics of the inference service."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Instruments:
    """Labels are models of the repository, a closed set."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.run_seconds = Histogram(
            "weirworks_inference_run_seconds", "Time of one model run.", ["model"], registry=registry
        )
        self.queue_seconds = Histogram(
            "weirworks_inference_queue_seconds", "Time in the waiting line.", ["model"], registry=registry
        )
        self.loads = Counter("weirworks_inference_loads", "Model loads.", ["model", "outcome"], registry=registry)
        self.waiting = Gauge("weirworks_inference_waiting", "Requests in the waiting line.", registry=registry)
