"""What is known of a scaler → its status and conditions; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from weirworks_autoscaler.core.types import Decision, Reason, ScalerSpec
from weirworks_autoscaler.providers.protocol import Size

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What one reconcile found. `trouble` is (reason, sentence) of what keeps the target from being resized."""

    generation: int
    spec: ScalerSpec | None = None
    size: Size | None = None
    decision: Decision | None = None
    # The count that was set, or would have been without what holds it.
    desired: int | None = None
    invalid: str = ""
    trouble: tuple[str, str] | None = None
    conflict: tuple[str, str] | None = None
    # Paused or pinned: nothing is decided.
    held: tuple[str, str] | None = None
    unschedulable: int = 0
    scaled: datetime | None = None


def conditions(facts: Facts) -> list[tuple[str, bool, str, str]]:
    """(type, holds, reason, message) of each condition."""
    if facts.invalid:
        return [("Ready", False, "InvalidSpec", facts.invalid)]
    able = facts.trouble is None
    conflicted = facts.conflict is not None
    ready, reason, message = True, "Reconciled", "the target has the count that was decided"
    for holds, why in ((not able, facts.trouble), (conflicted, facts.conflict)):
        if holds and why is not None:
            ready, reason, message = False, *why
            break
    made = [("Ready", ready, reason, message)]
    made.append(("AbleToScale", able, *(facts.trouble or ("Readable", "the target's scale is read and written"))))
    made.append(_active(facts))
    made.append(_limited(facts))
    made.append(_forecast(facts))
    made.append(("Conflict", conflicted, *(facts.conflict or ("NoConflict", "nobody else resizes the target"))))
    return made


def status(facts: Facts, before: Mapping[str, Any], now: datetime) -> Status:
    """The whole status; transition times stay where a condition stayed as it was."""
    decision, size = facts.decision, facts.size
    fresh: Status = {"observedGeneration": facts.generation}
    if size is not None:
        fresh |= {"replicas": size.replicas, "readyReplicas": size.ready}
    if facts.desired is not None:
        fresh["desiredReplicas"] = facts.desired
    if decision is not None:
        fresh |= {"reason": _word(facts, decision), "message": decision.message}
        fresh["load"] = f"{decision.load:.3g}/{decision.capacity:.3g} rps"
        fresh["forecast"] = _ahead(decision)
    elif facts.held:
        fresh |= {"reason": facts.held[0], "message": facts.held[1]}
    elif facts.invalid:
        fresh |= {"reason": "InvalidSpec", "message": facts.invalid}
    scaled = facts.scaled.isoformat(timespec="seconds") if facts.scaled else before.get("lastScaleTime")
    if scaled:
        fresh["lastScaleTime"] = scaled
    fresh["conditions"] = _merged(conditions(facts), before.get("conditions") or [], facts.generation, now)
    return fresh


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a status is worth a write: what it says of load alone is not."""
    quiet = ("load", "forecast", "message")

    def loud(each: Mapping[str, Any]) -> dict[str, Any]:
        told = {name: value for name, value in each.items() if name not in quiet}
        told["conditions"] = [
            {name: value for name, value in one.items() if name not in ("message", "lastTransitionTime")}
            for one in each.get("conditions") or []
        ]
        return told

    return loud(before) != loud(after)


def _word(facts: Facts, decision: Decision) -> str:
    if facts.conflict is not None:
        return "Conflict"
    return facts.held[0] if facts.held else str(decision.reason)


def _ahead(decision: Decision) -> str:
    if decision.forecast_load is None:
        return "-"
    return f"{decision.forecast_load:.3g} in {decision.lead_time.total_seconds():g}s"


def _active(facts: Facts) -> tuple[str, bool, str, str]:
    if facts.held is not None:
        return ("ScalingActive", False, *facts.held)
    if facts.decision is None:
        return ("ScalingActive", False, "NothingDecided", "no decision was made yet")
    if facts.decision.reason is Reason.NO_DATA:
        return ("ScalingActive", False, "NoData", facts.decision.message)
    return ("ScalingActive", True, "LoadSeen", "the load of the target is known")


def _limited(facts: Facts) -> tuple[str, bool, str, str]:
    decision, spec = facts.decision, facts.spec
    if facts.unschedulable:
        return ("ScalingLimited", True, "Unschedulable", f"{facts.unschedulable} pods find no node")
    if decision is not None and spec is not None:
        if decision.reason is Reason.AT_MAXIMUM:
            return ("ScalingLimited", True, "TooManyReplicas", f"more than {spec.max_replicas} are needed")
        if decision.reason is Reason.AT_MINIMUM:
            return ("ScalingLimited", True, "TooFewReplicas", f"fewer than {spec.min_replicas} are needed")
        if decision.reason is Reason.RATE_LIMITED:
            return ("ScalingLimited", True, "RateLimited", f"at most {spec.max_step_up} are added at a time")
    return ("ScalingLimited", False, "WithinRange", "the count is within its bounds")


def _forecast(facts: Facts) -> tuple[str, bool, str, str]:
    if facts.spec is not None and not facts.spec.forecast_enabled:
        return ("ForecastValid", False, "Disabled", "the spec asks for no forecast")
    if facts.decision is None or facts.decision.plan is None:
        return ("ForecastValid", False, "TooLittleHistory", "too little load was seen to forecast from")
    rule = facts.decision.plan.rule
    allowed = facts.spec.max_late_ratio if facts.spec else 1.0
    text = f"{100 * rule.late:.2f} % of past requests would have been late"
    if rule.late > allowed:
        return ("ForecastValid", False, "ObjectiveMissed", f"{text}; at most {100 * allowed:g} % may be")
    return ("ForecastValid", True, "ObjectiveKept", text)


def _merged(
    made: Sequence[tuple[str, bool, str, str]], before: Sequence[Mapping[str, Any]], generation: int, now: datetime
) -> list[dict[str, Any]]:
    known = {one["type"]: one for one in before}
    merged = []
    for kind, holds, reason, message in made:
        word = "True" if holds else "False"
        old = known.get(kind)
        since = old["lastTransitionTime"] if old and old["status"] == word else now.isoformat(timespec="seconds")
        merged.append(
            {
                "type": kind,
                "status": word,
                "reason": reason,
                "message": message,
                "observedGeneration": generation,
                "lastTransitionTime": since,
            }
        )
    return merged
