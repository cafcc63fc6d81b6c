"""The metrics of the router."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Instruments:
    """Labels are closed sets: operations, kinds, reasons, error reasons, configured backends."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.decisions = Counter(
            "weirworks_router_decisions",
            "Requests by what answered, and why.",
            ["operation", "kind", "reason", "error"],
            registry=registry,
        )
        self.cost = Counter("weirworks_router_cost_usd", "Cost of answers.", ["kind"], registry=registry)
        self.attempts = Counter(
            "weirworks_router_provider_attempts", "Calls of providers.", ["backend", "outcome"], registry=registry
        )
        self.endpoints = Gauge("weirworks_router_endpoints", "Inference endpoints known.", registry=registry)
