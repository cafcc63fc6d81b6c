"""Answers as plain values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from weirworks.router.v1.generate_pb2 import GenerateResponse
from weirworks.router.v1.route_pb2 import Route
from weirworks.router.v1.router_service_pb2 import ClassifyImageResponse, EmbedTextResponse


@dataclass(frozen=True, slots=True)
class Label:
    """One class of a picture; the probability is 0 to 1."""

    index: int
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a picture, best first."""

    labels: list[Label]
    model: str
    model_version: str
    cached: bool
    decision_id: str
    # Stage → seconds; of the first run when it was cached.
    stages: dict[str, float]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Unit vectors [texts, width], in the order of the texts."""

    values: NDArray[np.float32]
    model: str
    model_version: str
    cached: bool
    decision_id: str
    # ISO 639-1 code of each text, given or detected; empty where it cannot be told.
    languages: list[str]


@dataclass(frozen=True, slots=True)
class Planned:
    """Where a prompt goes, and why; seconds and US dollars."""

    backend: str
    band: str
    reason: str
    score: float
    confidence: float
    expected_latency: float
    expected_cost_usd: float
    fallbacks: list[str]
    features: dict[str, float]
    decision_id: str


@dataclass(frozen=True, slots=True)
class Generated:
    """An answer to a prompt; `attempts` are (backend, outcome) in order."""

    text: str
    planned: Planned
    attempts: list[tuple[str, str]]
    cached: bool
    cost_usd: float
    seconds: float


def classes_of(response: ClassifyImageResponse) -> Classes:
    """The value of an answer."""
    inner = response.response
    return Classes(
        labels=[Label(each.index, each.label, each.probability) for each in inner.classifications],
        model=inner.model,
        model_version=inner.model_version,
        cached=response.cached,
        decision_id=response.route.decision_id,
        stages={each.stage: each.duration.ToTimedelta().total_seconds() for each in inner.stages},
    )


def vectors_of(response: EmbedTextResponse) -> Vectors:
    """The value of an answer."""
    inner = response.response
    return Vectors(
        values=np.array([each.values for each in inner.embeddings], np.float32),
        model=inner.model,
        model_version=inner.model_version,
        cached=response.cached,
        decision_id=response.route.decision_id,
        languages=[each.language for each in inner.embeddings],
    )


def planned_of(route: Route) -> Planned:
    """The value of a route."""
    return Planned(
        backend=route.backend,
        band=route.band,
        reason=route.reason,
        score=route.score,
        confidence=route.confidence,
        expected_latency=route.expected_latency.ToTimedelta().total_seconds(),
        expected_cost_usd=route.expected_cost_usd,
        fallbacks=list(route.fallbacks),
        features={each.name: each.points for each in route.features},
        decision_id=route.decision_id,
    )


def generated_of(response: GenerateResponse) -> Generated:
    """The value of an answer."""
    return Generated(
        text=response.text,
        planned=planned_of(response.route),
        attempts=[(each.backend, each.outcome) for each in response.attempts],
        cached=response.cached,
        cost_usd=response.usage.cost_usd,
        seconds=response.duration.ToTimedelta().total_seconds(),
    )
