"""Recorded load through the very same decisions, against a simulated Deployment."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from weirworks_autoscaler.core.step import decide
from weirworks_autoscaler.core.types import Loads, Memory, Observation, ScalerSpec


@dataclass(frozen=True, slots=True)
class Tick:
    """One decision of a replay."""

    time: datetime
    load: float
    # The load that the decision prepared for; None without a forecast.
    forecast: float | None
    replicas: int
    ready: int
    reason: str
    message: str
    # Requests that arrived until the next decision, and those of them that waited too long.
    requests: float
    late: float


@dataclass(frozen=True, slots=True)
class Replay:
    """All decisions, and what they came to."""

    ticks: Sequence[Tick]
    replica_hours: float

    @property
    def late_ratio(self) -> float:
        """Share of the requests that waited longer than the tolerance."""
        requests = sum(tick.requests for tick in self.ticks)
        return sum(tick.late for tick in self.ticks) / requests if requests else 0.0

    @property
    def changes(self) -> int:
        """How often the count changed."""
        pairs = zip(self.ticks, self.ticks[1:], strict=False)
        return sum(here.replicas != there.replicas for here, there in pairs)

    @property
    def most(self) -> int:
        """The highest count."""
        return max((tick.replicas for tick in self.ticks), default=0)

    def since(self, warmup: timedelta) -> "Replay":
        """Without what was for learning only."""
        start = self.ticks[0].time + warmup if self.ticks else None
        rest = [tick for tick in self.ticks if start is not None and tick.time >= start]
        share = sum(tick.replicas for tick in rest) / max(1, sum(tick.replicas for tick in self.ticks))
        return Replay(rest, self.replica_hours * share)


class _Deployment:
    """Replicas that start and go as Kubernetes has them: the youngest goes first, one that serves finishes.

    `admitted` are cumulative arrivals that have found a place: A(t) = min(B(t), A(t - service) + places).
    """

    def __init__(self, spec: ScalerSpec, step: timedelta, ready: int) -> None:
        self.ready = ready
        self._starting: deque[tuple[float, int]] = deque()
        self._lead = spec.lead_time / step
        self._service = max(1, round(spec.service_time / step))
        self._tolerance = int(spec.tolerance / step)
        self._places = spec.capacity * spec.utilization * self._service * step.total_seconds()
        self._admitted: deque[float] = deque([0.0] * self._service, maxlen=self._service)
        self._due: deque[tuple[float, float]] = deque()
        self._arrived = 0.0
        self.billed = 0.0

    @property
    def replicas(self) -> int:
        return self.ready + sum(count for _, count in self._starting)

    def resize(self, now: float, replicas: int) -> None:
        more = replicas - self.replicas
        if more > 0:
            self._starting.append((now + self._lead, more))
        while more < 0 and self._starting:
            when, count = self._starting.pop()
            kept = max(0, count + more)
            more += count - kept
            if kept:
                self._starting.append((when, kept))
        if more < 0:
            self.ready += more
            self.billed -= more * self._service

    def serve(self, now: float, arrivals: float) -> float:
        """One step; returns arrivals of earlier steps, or of this one, that turn out late."""
        while self._starting and self._starting[0][0] <= now:
            self.ready += self._starting.popleft()[1]
        self.billed += self.replicas
        self._arrived += arrivals
        admitted = max(self._admitted[-1], min(self._arrived, self._admitted[0] + self.ready * self._places))
        self._admitted.append(admitted)
        self._due.append((self._arrived, arrivals))
        if len(self._due) <= self._tolerance:
            return 0.0
        total, fresh = self._due.popleft()
        return min(fresh, max(0.0, total - admitted))


def replay(spec: ScalerSpec, loads: Loads, step: timedelta, start: datetime) -> Replay:
    """`loads` in requests per second of each step; a decision every `spec.interval` with news `spec.lag` old."""
    every = max(1, round(spec.interval / step))
    lag = round(spec.lag / step)
    first = max(spec.min_replicas, min(spec.max_replicas, 1 + int(loads[:every].mean() / spec.capacity)))
    deployment, memory, ticks = _Deployment(spec, step, first), Memory(), []
    seconds = step.total_seconds()
    for begin in range(0, len(loads), every):
        now = start + step * begin
        seen = Observation(loads[: max(0, begin - lag)], step, now - spec.lag, deployment.replicas)
        memory, decision = decide(spec, memory, seen, now)
        deployment.resize(begin, decision.replicas)
        block = loads[begin : begin + every]
        late = sum(deployment.serve(begin + place, load * seconds) for place, load in enumerate(block.tolist()))
        ticks.append(
            Tick(
                now,
                decision.load,
                decision.forecast_load,
                decision.replicas,
                deployment.ready,
                str(decision.reason),
                decision.message,
                float(block.sum()) * seconds,
                late,
            )
        )
    return Replay(ticks, deployment.billed * seconds / 3600)
