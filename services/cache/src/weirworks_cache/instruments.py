"""The metrics of the cache service."""

from prometheus_client import CollectorRegistry, Counter


class Instruments:
    """`result` is a tier or `miss`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lookups = Counter("weirworks_cache_lookups", "Look-ups by what answered.", ["result"], registry=registry)
