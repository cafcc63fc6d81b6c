"""What the decision is made of."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from weirworks_autoscaler.core.planning.planner import Plan, Planner

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
    # At most this share of the requests may wait longer than `tolerance` for their place.
    max_late_ratio: float = 0.01
    tolerance: timedelta = timedelta(seconds=1)
    # How long a request holds its place in a replica.
    service_time: timedelta = timedelta(seconds=1)
    forecast_enabled: bool = True
    # The longest time after which load repeats. A day of another length runs every clock of the planner faster.
    season: timedelta = timedelta(days=1)
    # From a decision to a replica that answers, and the age of the newest load by then.
    lead_time: timedelta = timedelta(seconds=60)
    lag: timedelta = timedelta(seconds=15)
    # How far the forecast that is shown reaches; it decides nothing.
    horizon: timedelta = timedelta(minutes=15)
    # Time between decisions, and the grain of what is planned.
    interval: timedelta = timedelta(seconds=15)
    # Without forecasts a replica goes only when the count exceeds the need by more than this, for as long.
    down_margin: int = 2
    stabilization: timedelta = timedelta(minutes=5)
    # Most replicas to add in one decision; 0 sets no limit. Without forecasts one is taken away at a time.
    max_step_up: int = 0
    # Metrics older than this say nothing about now.
    stale_after: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen: load by step up to the newest whole one, and the target's size.

    `loads[-1]` is the mean load of the step that ends at `until`; a step in which nothing arrived is 0. The whole
    history may be given each time; what is new since the last decision is taken from its end.
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


@dataclass(slots=True)
class Memory:
    """What the decision remembers. A decision takes it over: the one that it returns replaces it."""

    # Without forecasts: what would have been wanted lately, as (time, replicas).
    wanted: tuple[tuple[datetime, int], ...] = field(default_factory=tuple)
    # With forecasts: what was learned from the loads from `since` up to `until`.
    planner: Planner | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A replica count, why, and the numbers behind it."""

    from_replicas: int
    replicas: int
    reason: Reason
    load: float
    reactive: int
    capacity: float
    lead_time: timedelta
    plan: Plan | None = None
    # For how long the plan keeps what was needed.
    hold: timedelta = timedelta(0)

    @property
    def forecast_load(self) -> float | None:
        """The load to be ready for one lead time ahead; None without a forecast."""
        return None if self.plan is None else self.plan.covered * self.capacity

    @property
    def forecast_replicas(self) -> int | None:
        """What the plan asks for; None without a forecast."""
        return None if self.plan is None else self.plan.replicas

    @property
    def method(self) -> str:
        """How the forecast was made; empty without one."""
        if self.plan is None:
            return ""
        return f"quantile {1 - 1 / self.plan.rule.price:.3f}, hold {self.hold.total_seconds():g} s"

    @property
    def message(self) -> str:
        """The decision in a sentence with its numbers."""
        if self.reason is Reason.NO_DATA:
            return "no load was seen lately; the count stays"
        seen = f"{self.load:.1f} requests/s need {self.reactive}"
        if self.plan is None:
            return f"{seen}; no forecast; {self.replicas} set"
        rule = self.plan.rule
        return (
            f"{seen}; up to {self.forecast_load:.1f} requests/s in {self.lead_time.total_seconds():g} s need "
            f"{self.forecast_replicas}, kept for {self.hold.total_seconds():g} s; lately {100 * rule.late:.2f} % would "
            f"have been late like this; {self.replicas} set"
        )
