"""The metrics of the autoscaler."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Instruments:
    """Labels are configured scalers and the closed set of reasons."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["scaler"]
        self.decisions = Counter(
            "weirworks_autoscaler_decisions", "Decisions.", ["scaler", "reason"], registry=registry
        )
        self.replicas = Gauge("weirworks_autoscaler_replicas", "Replicas wanted.", labels, registry=registry)
        self.load = Gauge("weirworks_autoscaler_load", "Requests per second seen.", labels, registry=registry)
        self.forecast = Gauge(
            "weirworks_autoscaler_forecast", "Load prepared for, one lead time ahead.", labels, registry=registry
        )
        self.late = Gauge(
            "weirworks_autoscaler_late_ratio",
            "Share of past requests that the rule in force would have made late.",
            labels,
            registry=registry,
        )
