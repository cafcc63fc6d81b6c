"""What the router decides about."""

from dataclasses import dataclass, field
from enum import StrEnum


class Band(StrEnum):
    """How hard a prompt is, and so who should answer it."""

    LOCAL = "local"
    EXPERIMENT = "experiment"
    PROVIDER = "provider"


class Kind(StrEnum):
    """What answers."""

    CACHE = "cache"
    INFERENCE = "inference"
    PROVIDER = "provider"


class Reason(StrEnum):
    """Why a route was taken: one word for logs, metrics, events and the CLI alike."""

    SIMPLE_PROMPT = "SimplePrompt"
    EXPERIMENT_ARM = "ExperimentArm"
    COMPLEX_PROMPT = "ComplexPrompt"
    BACKEND_RESTING = "BackendResting"
    LEAST_LOADED = "LeastLoaded"
    CACHE_HIT = "CacheHit"
    NO_BACKEND = "NoBackend"


@dataclass(frozen=True, slots=True)
class Price:
    """What a backend costs, in US dollars."""

    per_request: float = 0.0
    per_million_input_tokens: float = 0.0
    per_million_output_tokens: float = 0.0

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """The price of one answer."""
        tokens = input_tokens * self.per_million_input_tokens + output_tokens * self.per_million_output_tokens
        return self.per_request + tokens / 1e6


@dataclass(frozen=True, slots=True)
class BackendView:
    """A provider as the plan sees it: its price and what was measured lately."""

    name: str
    price: Price
    latency: float
    resting: bool


@dataclass(frozen=True, slots=True)
class Complexity:
    """How hard a prompt is, 0 to 100, and what that is made of."""

    score: float
    features: dict[str, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a prompt goes, and why; `order` is the chosen backend and its fallbacks."""

    order: tuple[str, ...]
    band: Band
    reason: Reason
    complexity: Complexity
    confidence: float
    expected_latency: float
    expected_cost: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The borders of the bands, and which backends each band tries in order."""

    experiment_from: float = 30.0
    provider_from: float = 60.0
    order: dict[Band, tuple[str, ...]] = field(default_factory=dict)
