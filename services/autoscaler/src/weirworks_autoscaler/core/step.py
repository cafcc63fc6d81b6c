"""One decision: forecast → capacity → behaviour → a count with its reason."""

import math
from datetime import datetime, timedelta

from weirworks_autoscaler.core.behavior import settle
from weirworks_autoscaler.core.forecast.choice import forecast
from weirworks_autoscaler.core.types import Decision, Forecast, Memory, Observation, Reason, ScalerSpec

# The load now is the higher of the last step and the mean of the last three: up at once, down slowly.
_RECENT = 3


def decide(spec: ScalerSpec, memory: Memory, seen: Observation, now: datetime) -> tuple[Memory, Decision]:
    """The count for one target.

    Missing or stale data is not an error: the decision then keeps the count with reason NoData.
    """
    if seen.until is None or len(seen.loads) == 0 or now - seen.until > spec.stale_after:
        message = "no load was seen lately; the count stays"
        return memory, Decision(seen.replicas, seen.replicas, Reason.NO_DATA, message, 0.0, 0, spec.capacity)
    load = max(float(seen.loads[-1]), float(seen.loads[-_RECENT:].mean()))
    reactive = replicas_for(load, spec)
    ahead = _forecast(spec, seen, now) if spec.forecast_enabled else None
    expected, needed = _expected(spec, ahead, seen, now)
    wanted = max(reactive, needed or 0)
    reason = Reason.FORECAST if needed is not None and needed > reactive else Reason.LOAD
    memory, count, reason = settle(spec, memory, seen.replicas, wanted, reason, now)
    return memory, Decision(
        from_replicas=seen.replicas,
        replicas=count,
        reason=reason,
        message=_message(load, reactive, expected, needed, count, spec),
        load=load,
        reactive=reactive,
        capacity=spec.capacity,
        forecast_load=expected,
        forecast_replicas=needed,
        forecast=ahead,
    )


def replicas_for(load: float, spec: ScalerSpec) -> int:
    """Replicas that carry a load at the planned utilisation."""
    # Ceil, not round: 4.1 replicas of load on 4 pods grows the queue without bound.
    return math.ceil(load / (spec.capacity * spec.utilization) - 1e-9)


def _forecast(spec: ScalerSpec, seen: Observation, now: datetime) -> Forecast | None:
    assert seen.until is not None
    horizon = math.ceil((now - seen.until + max(spec.lead_time, spec.hold)) / seen.step)
    return forecast(seen.loads, seen.step, seen.until, spec.season, horizon, spec.quantile)


def _expected(
    spec: ScalerSpec, ahead: Forecast | None, seen: Observation, now: datetime
) -> tuple[float | None, int | None]:
    """The load to prepare for, and its replicas.

    Up: the highest quantile within the lead time, for what is started now is ready then. Down: within
    the hold, for what is taken away now is not back sooner.
    """
    if ahead is None:
        return None, None
    up = _peak(ahead, now + spec.lead_time)
    if replicas_for(up, spec) >= seen.replicas:
        return up, replicas_for(up, spec)
    down = _peak(ahead, now + max(spec.lead_time, spec.hold))
    needed = min(replicas_for(down, spec), seen.replicas)
    return (down if needed > replicas_for(up, spec) else up), needed


def _peak(ahead: Forecast, until: datetime) -> float:
    steps = max(1, math.ceil((until - ahead.start) / ahead.step))
    return float(ahead.upper[:steps].max())


def _message(
    load: float, reactive: int, expected: float | None, needed: int | None, count: int, spec: ScalerSpec
) -> str:
    seen = f"{load:.1f} requests/s need {reactive}"
    if expected is None:
        return f"{seen}; no forecast; {count} set"
    lead = _text(spec.lead_time)
    return f"{seen}; {expected:.1f} requests/s expected within {lead} need {needed}; {count} set"


def _text(duration: timedelta) -> str:
    return f"{duration.total_seconds():g} s"
