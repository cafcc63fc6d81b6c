"""What keeps a count from flapping: margin, stabilisation window, rate limit, bounds.

The rules are those of `autoscaling/v2`: down only to the highest count wanted within the window.
"""

from datetime import datetime

from weirworks_autoscaler.core.types import Memory, Reason, ScalerSpec


def settle(
    spec: ScalerSpec, memory: Memory, current: int, wanted: int, reason: Reason, now: datetime
) -> tuple[Memory, int, Reason]:
    """The count to set now for what is wanted, and the reason that decided in the end."""
    since = now - spec.stabilization
    remembered = (*(entry for entry in memory.wanted if entry[0] > since), (now, wanted))
    count, reason = _bounded(spec, wanted, reason)
    if count > current:
        if spec.max_step_up and count > current + spec.max_step_up:
            count, reason = current + spec.max_step_up, Reason.RATE_LIMITED
    elif count < current:
        count, reason = _down(spec, remembered, current, count, reason)
    elif reason in (Reason.LOAD, Reason.FORECAST):
        reason = Reason.STEADY
    return Memory(remembered), count, reason


def _down(
    spec: ScalerSpec, remembered: tuple[tuple[datetime, int], ...], current: int, count: int, reason: Reason
) -> tuple[int, Reason]:
    if current > spec.max_replicas:
        return spec.max_replicas, Reason.AT_MAXIMUM
    if current - count <= spec.down_margin:
        return current, Reason.HYSTERESIS
    highest, _ = _bounded(spec, max(wanted for _, wanted in remembered), reason)
    if highest >= current:
        return current, Reason.STABILIZING
    # One at a time: a victim must drain before the next is chosen.
    return max(highest, current - 1), reason


def _bounded(spec: ScalerSpec, wanted: int, reason: Reason) -> tuple[int, Reason]:
    if wanted > spec.max_replicas:
        return spec.max_replicas, Reason.AT_MAXIMUM
    if wanted < spec.min_replicas:
        return spec.min_replicas, Reason.AT_MINIMUM
    return wanted, reason
