"""An InferenceScaler as the API server holds it → the spec of a decision; pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from weirworks_autoscaler.core.types import ScalerSpec

GROUP, VERSION, PLURAL, KIND = "autoscaling.weirworks.dev", "v1alpha1", "inferencescalers", "InferenceScaler"
# Pins a count for as long as it is there.
PAUSED_REPLICAS = f"{GROUP}/paused-replicas"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class InvalidResource(ValueError):
    """The text names the field and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What one InferenceScaler asks for, and of whom."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: str
    target: str
    spec: ScalerSpec
    paused: bool
    pinned: int | None
    # Count to go to when nothing was seen for `fallback_after`; None keeps what there is.
    fallback: int | None
    fallback_after: timedelta

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name


def parse(item: Mapping[str, Any], lag: timedelta, interval: timedelta) -> Resource:
    """Raises InvalidResource. The CRD's rules let little through; an older object may still be against them."""
    meta, spec = item["metadata"], item.get("spec") or {}
    reference = spec.get("scaleTargetRef") or {}
    if reference.get("kind", "Deployment") != "Deployment" or not reference.get("name"):
        raise InvalidResource("spec.scaleTargetRef: must name a Deployment")
    low, high = _count(spec, "minReplicas", 1), _count(spec, "maxReplicas", 10)
    if low > high:
        raise InvalidResource(f"spec.minReplicas: {low} is above spec.maxReplicas, {high}")
    objective, target = spec.get("objective") or {}, spec.get("target") or {}
    forecast, behavior = spec.get("forecast") or {}, spec.get("behavior") or {}
    up, down = behavior.get("scaleUp") or {}, behavior.get("scaleDown") or {}
    fallback = spec.get("fallback") or {}
    made = ScalerSpec(
        name=f"{meta['namespace']}/{meta['name']}",
        model=str(spec.get("model") or "*"),
        min_replicas=low,
        max_replicas=high,
        capacity=_number(target, "target.capacity", 100.0, 0.0, float("inf")),
        utilization=_number(target, "target.utilization", 0.8, 0.0, 1.0),
        service_time=_duration(target, "target.serviceTime", "1s"),
        max_late_ratio=_number(objective, "objective.maxLateRatio", 0.01, 0.0, 1.0),
        tolerance=_duration(objective, "objective.tolerance", "1s"),
        forecast_enabled=bool(forecast.get("enabled", True)),
        season=_duration(forecast, "forecast.season", "24h"),
        horizon=_duration(forecast, "forecast.horizon", "15m"),
        lead_time=_duration(forecast, "forecast.leadTime", "60s"),
        max_step_up=_count(up, "maxStep", 0),
        down_margin=_count(down, "margin", 2),
        stabilization=timedelta(seconds=_count(down, "stabilizationWindowSeconds", 300)),
        stale_after=_duration(spec, "staleAfter", "2m"),
        lag=lag,
        interval=interval,
    )
    return Resource(
        **_identity(meta),
        target=reference["name"],
        spec=made,
        paused=bool(spec.get("paused", False)),
        pinned=_pinned(meta.get("annotations") or {}),
        fallback=_count(fallback, "replicas", 0) if "replicas" in fallback else None,
        fallback_after=_duration(fallback, "fallback.after", "5m"),
    )


def outline(item: Mapping[str, Any]) -> Resource:
    """What can be said of a resource whose spec is against the rules: whose it is."""
    meta = item["metadata"]
    return Resource(
        **_identity(meta),
        target="",
        spec=ScalerSpec(name=f"{meta['namespace']}/{meta['name']}", model="*"),
        paused=True,
        pinned=None,
        fallback=None,
        fallback_after=timedelta(0),
    )


def _identity(meta: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta.get("uid", ""),
        "generation": int(meta.get("generation") or 0),
        "created": meta.get("creationTimestamp") or "",
    }


def _pinned(annotations: Mapping[str, str]) -> int | None:
    text = annotations.get(PAUSED_REPLICAS)
    if text is None:
        return None
    if not text.isdigit():
        raise InvalidResource(f"metadata.annotations[{PAUSED_REPLICAS}]: {text!r} is not a count")
    return int(text)


def _count(part: Mapping[str, Any], field: str, default: int) -> int:
    value = part.get(field, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidResource(f"spec…{field}: {value!r} is not a count")
    return value


def _number(part: Mapping[str, Any], path: str, default: float, low: float, high: float) -> float:
    value = part.get(path.rsplit(".", 1)[-1], default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not low < value <= high:
        raise InvalidResource(f"spec.{path}: {value!r} is not above {low:g} and at most {high:g}")
    return float(value)


def _duration(part: Mapping[str, Any], path: str, default: str) -> timedelta:
    text = str(part.get(path.rsplit(".", 1)[-1], default))
    pieces = _DURATION.findall(text)
    if not pieces or "".join(number + unit for number, unit in pieces) != text:
        raise InvalidResource(f"spec.{path}: {text!r} is not a duration such as 90s or 1h30m")
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in pieces))
