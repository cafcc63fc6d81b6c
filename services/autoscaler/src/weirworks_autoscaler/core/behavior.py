"""What keeps a count from flapping: margin, stabilisation window, rate limit, bounds.

The rules are those of `autoscaling/v2`: down only to the highest count wanted within the window.
"""

from datetime import datetime

from weirworks_autoscaler.core.types import Reason, ScalerSpec

Wanted = tuple[tuple[datetime, int], ...]


def settle(
    spec: ScalerSpec, remembered: Wanted, current: int, wanted: int, now: datetime
) -> tuple[Wanted, int, Reason]:
    """The count to set now for what the load asks for, and the reason that decided in the end."""
    since = now - spec.stabilization
    remembered = (*(entry for entry in remembered if entry[0] > since), (now, wanted))
    count, reason = bounded(spec, wanted, Reason.LOAD)
    count, reason = limited(spec, current, count, reason)
    if count < current:
        count, reason = _down(spec, remembered, current, count, reason)
    elif count == current and reason is Reason.LOAD:
        reason = Reason.STEADY
    return remembered, count, reason


def bounded(spec: ScalerSpec, wanted: int, reason: Reason) -> tuple[int, Reason]:
    """Within minimum and maximum, which then are the reason."""
    if wanted > spec.max_replicas:
        return spec.max_replicas, Reason.AT_MAXIMUM
    if wanted < spec.min_replicas:
        return spec.min_replicas, Reason.AT_MINIMUM
    return wanted, reason


def limited(spec: ScalerSpec, current: int, count: int, reason: Reason) -> tuple[int, Reason]:
    """At most so many more than now."""
    if spec.max_step_up and count > current + spec.max_step_up:
        return current + spec.max_step_up, Reason.RATE_LIMITED
    return count, reason


def _down(spec: ScalerSpec, remembered: Wanted, current: int, count: int, reason: Reason) -> tuple[int, Reason]:
    if current > spec.max_replicas:
        return spec.max_replicas, Reason.AT_MAXIMUM
    if current - count <= spec.down_margin:
        return current, Reason.HYSTERESIS
    highest, _ = bounded(spec, max(wanted for _, wanted in remembered), reason)
    if highest >= current:
        return current, Reason.STABILIZING
    # One at a time: a victim must drain before the next is chosen.
    return max(highest, current - 1), reason
