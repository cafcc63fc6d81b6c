"""An InferenceScaler in, a spec out; facts in, a status out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from weirworks_autoscaler.controller.resource import PAUSED_REPLICAS, InvalidResource, outline, parse
from weirworks_autoscaler.controller.status import Facts, changed, conditions, status
from weirworks_autoscaler.core.types import Decision, Reason
from weirworks_autoscaler.providers.protocol import Size

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def item(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    meta = {"namespace": "prod", "name": "chat", "uid": "u", "generation": 3, "annotations": annotations or {}}
    return {"metadata": meta, "spec": {"scaleTargetRef": {"name": "inference"}, "maxReplicas": 5, **spec}}


def decided(reason: Reason = Reason.LOAD, before: int = 2, after: int = 4) -> Decision:
    return Decision(before, after, reason, 35.0, 4, 10.0, timedelta(seconds=60))


def words(facts: Facts) -> dict[str, tuple[bool, str]]:
    return {kind: (holds, reason) for kind, holds, reason, _ in conditions(facts)}


def test_what_is_not_said_has_a_default() -> None:
    resource = parse(item(), SECOND, SECOND)
    assert resource.key == ("prod", "chat")
    assert (resource.target, resource.generation, resource.paused, resource.pinned) == ("inference", 3, False, None)
    spec = resource.spec
    assert (spec.min_replicas, spec.max_replicas, spec.capacity, spec.max_late_ratio) == (1, 5, 100.0, 0.01)
    assert spec.lead_time == timedelta(seconds=60)


def test_what_is_said_counts() -> None:
    resource = parse(
        item(
            {PAUSED_REPLICAS: "3"},
            minReplicas=0,
            target={"capacity": 12.5, "serviceTime": "250ms"},
            objective={"maxLateRatio": 0.05, "tolerance": "1m30s"},
            forecast={"enabled": False, "season": "1.5h"},
            behavior={"scaleUp": {"maxStep": 4}, "scaleDown": {"margin": 0, "stabilizationWindowSeconds": 60}},
            fallback={"replicas": 2, "after": "10m"},
            paused=True,
        ),
        SECOND,
        SECOND,
    )
    spec = resource.spec
    assert (spec.min_replicas, spec.capacity, spec.max_late_ratio, spec.max_step_up) == (0, 12.5, 0.05, 4)
    assert (spec.service_time, spec.tolerance) == (timedelta(milliseconds=250), timedelta(seconds=90))
    assert (spec.season, spec.forecast_enabled) == (timedelta(minutes=90), False)
    assert (spec.down_margin, spec.stabilization) == (0, timedelta(minutes=1))
    assert (resource.paused, resource.pinned, resource.fallback) == (True, 3, 2)
    assert resource.fallback_after == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        pytest.param(item(scaleTargetRef={"kind": "Pod", "name": "a"}), "scaleTargetRef", id="kind"),
        pytest.param(item(scaleTargetRef={}), "scaleTargetRef", id="no name"),
        pytest.param(item(minReplicas=6), "minReplicas: 6 is above spec.maxReplicas, 5", id="bounds"),
        pytest.param(item(minReplicas=True), "minReplicas", id="bool"),
        pytest.param(item(maxReplicas="5"), "maxReplicas", id="text"),
        pytest.param(item(target={"capacity": 0}), "target.capacity", id="capacity"),
        pytest.param(item(target={"capacity": float("nan")}), "target.capacity", id="nan"),
        pytest.param(item(target={"utilization": 1.2}), "target.utilization", id="utilization"),
        pytest.param(item(forecast={"leadTime": "soon"}), "forecast.leadTime", id="duration"),
        pytest.param(item(forecast={"leadTime": "5 s"}), "forecast.leadTime", id="space"),
        pytest.param(item({PAUSED_REPLICAS: "many"}), "paused-replicas", id="annotation"),
    ],
)
def test_a_mistake_is_named(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidResource, match=sentence.replace("[", r"\[")):
        parse(wrong, SECOND, SECOND)
    assert outline(wrong).paused


def test_conditions_say_what_was_found() -> None:
    spec = parse(item(), SECOND, SECOND).spec
    fine = Facts(3, spec, Size(4, 4), decided(), 4)
    assert words(fine)["Ready"] == (True, "Reconciled")
    assert words(fine)["Conflict"] == (False, "NoConflict")
    assert words(fine)["ForecastValid"] == (False, "TooLittleHistory")
    lost = Facts(3, spec, trouble=("TargetNotFound", "deployment/x cannot be read: HTTP 404"))
    assert words(lost)["Ready"] == words(lost)["AbleToScale"] == (False, "TargetNotFound")
    assert words(Facts(3, spec, Size(4, 4), decided(Reason.NO_DATA), 4))["ScalingActive"] == (False, "NoData")
    assert words(Facts(3, spec, Size(5, 5), decided(Reason.AT_MAXIMUM), 5))["ScalingLimited"] == (
        True,
        "TooManyReplicas",
    )
    assert words(Facts(3, spec, Size(4, 2), decided(), 4, unschedulable=2))["ScalingLimited"] == (True, "Unschedulable")
    assert words(Facts(3, invalid="spec.x: no"))["Ready"] == (False, "InvalidSpec")


def test_a_condition_keeps_its_time_until_it_turns() -> None:
    spec = parse(item(), SECOND, SECOND).spec
    first = status(Facts(3, spec, Size(4, 4), decided(), 4), {}, NOW)
    same = status(Facts(3, spec, Size(4, 4), decided(), 4), first, NOW + SECOND)
    assert same == first
    assert not changed(first, same)
    turned = status(Facts(3, spec, trouble=("Forbidden", "HTTP 403")), first, NOW + SECOND)
    times = {each["type"]: each["lastTransitionTime"] for each in turned["conditions"]}
    assert times["Ready"] == (NOW + SECOND).isoformat(timespec="seconds")
    assert times["Conflict"] == NOW.isoformat(timespec="seconds")
    assert changed(first, turned)


def test_load_alone_is_no_news() -> None:
    spec = parse(item(), SECOND, SECOND).spec
    before = status(Facts(3, spec, Size(4, 4), decided(), 4), {}, NOW)
    busier = Decision(2, 4, Reason.LOAD, 36.0, 4, 10.0, timedelta(seconds=60))
    assert not changed(before, status(Facts(3, spec, Size(4, 4), busier, 4), before, NOW))
