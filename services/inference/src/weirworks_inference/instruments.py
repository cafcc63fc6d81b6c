"""The metrics of the inference service."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class ModelInstruments:
    """The metrics of one model's requests, found once."""

    run_seconds: Histogram
    queue_seconds: Histogram
    batch_rows: Histogram


class Instruments:
    """Labels are models of the repository and closed sets of words."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.run_seconds = Histogram(
            "weirworks_inference_run_seconds", "Time of one run of a batch.", ["model"], registry=registry
        )
        self.queue_seconds = Histogram(
            "weirworks_inference_queue_seconds", "Time of a request in the line.", ["model"], registry=registry
        )
        self.batch_rows = Histogram(
            "weirworks_inference_batch_rows", "Rows of one run.", ["model"], buckets=_ROWS, registry=registry
        )
        self.loads = Counter("weirworks_inference_loads", "Model loads.", ["model", "outcome"], registry=registry)
        self.unloads = Counter(
            "weirworks_inference_unloads",
            "Models taken out of memory, and why.",
            ["model", "reason"],
            registry=registry,
        )
        self.resident_bytes = Gauge(
            "weirworks_inference_resident_bytes", "Host memory that models hold.", registry=registry
        )
        self.waiting = Gauge("weirworks_inference_waiting", "Requests in the line.", registry=registry)
        self.preloads = Counter(
            "weirworks_inference_preloads",
            "Models loaded ahead, by whether they were used within the hour.",
            ["outcome"],
            registry=registry,
        )
        self.embeddings = Counter(
            "weirworks_inference_embeddings",
            "Texts embedded, by where the vector came from.",
            ["source"],
            registry=registry,
        )
        self._models: dict[str, ModelInstruments] = {}

    def of(self, model: str) -> ModelInstruments:
        """The metrics of a model's requests."""
        found = self._models.get(model)
        if found is None:
            found = ModelInstruments(
                self.run_seconds.labels(model), self.queue_seconds.labels(model), self.batch_rows.labels(model)
            )
            self._models[model] = found
        return found
