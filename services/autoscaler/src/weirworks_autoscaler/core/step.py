"""One decision: load → need → plan → behaviour → a count with its reason."""

import math
from datetime import datetime, timedelta

from weirworks_autoscaler.core.behavior import bounded, limited, settle
from weirworks_autoscaler.core.planning.planner import ROUND_UP, Plan, Planner
from weirworks_autoscaler.core.planning.workload import Workload
from weirworks_autoscaler.core.types import Decision, Loads, Memory, Observation, Reason, ScalerSpec

# The load now is the higher of the last step and the mean of the last three: up at once, down slowly.
_RECENT = 3
_DAY = timedelta(days=1)
_HOUR_S, _DAY_S = 3600.0, 86400.0
# Of what is allowed to be late, the share to plan for: the rest is for what the past did not show.
_PLANNED = 0.8


def decide(spec: ScalerSpec, memory: Memory, seen: Observation, now: datetime) -> tuple[Memory, Decision]:
    """The count for one target.

    Missing or stale data is not an error: the decision then keeps the count with reason NoData.
    """
    if seen.until is None or len(seen.loads) == 0 or now - seen.until > spec.stale_after:
        decision = Decision(seen.replicas, seen.replicas, Reason.NO_DATA, 0.0, 0, spec.capacity, spec.lead_time)
        return memory, decision
    if spec.forecast_enabled:
        _learn(spec, memory, seen)
        plan = memory.planner.plan() if memory.planner else None
        if plan is not None:
            return memory, _planned(spec, seen, plan)
    load = max(float(seen.loads[-1]), float(seen.loads[-_RECENT:].mean()))
    reactive = replicas_for(load, spec)
    wanted, count, reason = settle(spec, memory.wanted, seen.replicas, reactive, now)
    memory.wanted = wanted
    return memory, Decision(seen.replicas, count, reason, load, reactive, spec.capacity, spec.lead_time)


def replicas_for(load: float, spec: ScalerSpec) -> int:
    """Replicas that carry a load at the planned utilisation."""
    # Ceil, not round: 4.1 replicas of load on 4 pods grows the queue without bound.
    return math.ceil(load / (spec.capacity * spec.utilization) - 1e-9)


def workload(spec: ScalerSpec, step: timedelta) -> Workload:
    """The planner's terms. Its clocks are made for days: a season of another length is counted as one."""
    scale = _DAY / spec.season
    step_s = step.total_seconds()
    steps = max(1, int(spec.interval.total_seconds() / step_s + 1e-6))
    return Workload(
        capacity=spec.capacity * spec.utilization / scale,
        service_s=spec.service_time.total_seconds() * scale,
        tolerance_s=spec.tolerance.total_seconds() * scale,
        cold_start_s=spec.lead_time.total_seconds() * scale,
        lag_s=spec.lag.total_seconds() * scale,
        step_s=step_s * scale,
        bin_s=steps * step_s * scale,
        seasons_s=(_HOUR_S, _DAY_S),
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
    )


def unlearned(memory: Memory, seen: Observation) -> int:
    """Steps that a decision would have to learn from; all of them where the memory is made anew."""
    fresh = _fresh(memory, seen)
    return len(seen.loads) if fresh is None else len(fresh)


def _learn(spec: ScalerSpec, memory: Memory, seen: Observation) -> None:
    """Takes in what is new in the observation, or makes the memory anew from all of it."""
    assert seen.until is not None
    fresh = _fresh(memory, seen)
    if memory.planner is None or fresh is None:
        terms = workload(spec, seen.step)
        first = round(seen.until.timestamp() / seen.step.total_seconds() - len(seen.loads))
        memory.planner = Planner(terms, _PLANNED * spec.max_late_ratio, first // terms.steps)
        fresh = seen.loads
        memory.since = seen.until - seen.step * len(seen.loads)
    # The planner counts a season as a day, and loads by its own seconds.
    memory.planner.see(fresh if spec.season == _DAY else fresh * (spec.season / _DAY))
    memory.until = seen.until


def _fresh(memory: Memory, seen: Observation) -> Loads | None:
    """The loads that are new; None where they do not follow on what is known, for the clock or the data jumped."""
    if memory.until is None or memory.since is None or seen.until is None:
        return None
    if seen.until - seen.step * len(seen.loads) < memory.since - seen.step:
        # History from before was brought in meanwhile.
        return None
    count = round((seen.until - memory.until) / seen.step)
    if count == 0:
        return seen.loads[:0]
    return seen.loads[-count:] if 0 < count <= len(seen.loads) else None


def _planned(spec: ScalerSpec, seen: Observation, plan: Plan) -> Decision:
    capacity = spec.capacity * spec.utilization
    # Whatever is expected: what comes now must be carried.
    reactive = math.floor(plan.need + ROUND_UP)
    count, reason = bounded(spec, max(plan.replicas, reactive), Reason.FORECAST)
    if reason is Reason.FORECAST and reactive >= plan.replicas:
        reason = Reason.LOAD
    count, reason = limited(spec, seen.replicas, count, reason)
    if count == seen.replicas and reason in (Reason.LOAD, Reason.FORECAST):
        reason = Reason.STEADY
    load, hold = plan.need * capacity, timedelta(seconds=plan.rule.hold_s * (spec.season / _DAY))
    return Decision(seen.replicas, count, reason, load, reactive, capacity, spec.lead_time, plan, hold)
