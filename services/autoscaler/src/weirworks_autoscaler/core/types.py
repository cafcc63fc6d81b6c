"""What the decision is made of."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Loads = NDArray[np.float64]


class Reason(StrEnum):
    """Why a count was chosen: one word for logs, metrics, events and the CLI alike."""

    FORECAST = "Forecast"
    LOAD = "Load"
    STEADY = "Steady"
    STABILIZING = "Stabilizing"
    HYSTERESIS = "Hysteresis"
    RATE_LIMITED = "RateLimited"
    AT_MAXIMUM = "AtMaximum"
    AT_MINIMUM = "AtMinimum"
    NO_DATA = "NoData"


@dataclass(frozen=True, slots=True)
class ScalerSpec:
    """What an operator asks for. Loads and capacities are requests per second."""

    name: str
    model: str
    min_replicas: int = 1
    max_replicas: int = 10
    # What one replica carries at full use; the prior of product row A2 until it is measured.
    capacity: float = 100.0
    # Share of the capacity to plan with: the rest takes what varies within a step.
    utilization: float = 0.8
    forecast_enabled: bool = True
    season: timedelta = timedelta(days=1)
    # From a decision to a replica that answers, with the age of the metrics on top.
    lead_time: timedelta = timedelta(seconds=60)
    # How far ahead there must be no need for a replica before it is taken away.
    hold: timedelta = timedelta(minutes=5)
    quantile: float = 0.95
    # A replica goes only when the count exceeds the need by more than this.
    down_margin: int = 2
    stabilization: timedelta = timedelta(minutes=5)
    # Most replicas to add in one decision; 0 sets no limit. One is taken away at a time.
    max_step_up: int = 0
    # Metrics older than this say nothing about now.
    stale_after: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen: load by step up to the newest whole one, and the target's size.

    `loads[-1]` is the mean load of the step that ends at `until`; a step in which nothing arrived is 0.
    """

    loads: Loads
    step: timedelta
    until: datetime | None
    replicas: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Load to come by step, from `start` on."""

    method: str
    start: datetime
    step: timedelta
    lower: Loads
    median: Loads
    upper: Loads


@dataclass(frozen=True, slots=True)
class Memory:
    """What the decision remembers: what it would have wanted lately, as (time, replicas)."""

    wanted: tuple[tuple[datetime, int], ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Decision:
    """A replica count, why, and the numbers behind it."""

    from_replicas: int
    replicas: int
    reason: Reason
    message: str
    load: float
    reactive: int
    capacity: float
    forecast_load: float | None = None
    forecast_replicas: int | None = None
    forecast: Forecast | None = None
