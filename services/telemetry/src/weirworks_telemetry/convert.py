"""Events: proto ↔ row; pure."""

import uuid
from datetime import UTC, datetime
from typing import Any

from google.protobuf.duration_pb2 import Duration
from weirworks.telemetry.v1.event_pb2 import DecisionEvent, Event, InferenceEvent, ScalingEvent

from weirworks_telemetry.core.rows import Row

# Kind → table, and its columns after time, id and tenant.
COLUMNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "decision": (
        "decision_events",
        (
            *("operation", "model", "backend", "kind", "reason", "error"),
            *("latency_seconds", "cost_usd", "score", "input_hash", "fallbacks"),
        ),
    ),
    "inference": (
        "inference_events",
        ("model", "model_version", "endpoint", "row_count", "queue_seconds", "run_seconds", "error"),
    ),
    "scaling": ("scaling_events", ("scaler", "from_replicas", "to_replicas", "reason", "load", "forecast")),
}


def row_of(event: Event) -> tuple[str, Row]:
    """The table and the row of a checked event."""
    head = (event.event_time.ToDatetime(UTC), uuid.UUID(event.id), event.tenant)
    kind = event.WhichOneof("kind")
    if kind == "decision":
        d = event.decision
        names = (d.operation, d.model, d.backend, d.kind, d.reason, d.error)
        return "decision_events", _clean(
            *head, *names, _seconds(d.latency), d.cost_usd, d.score, d.input_hash, d.fallbacks
        )
    if kind == "inference":
        i = event.inference
        times = (_seconds(i.queue_time), _seconds(i.run_time))
        return "inference_events", _clean(*head, i.model, i.model_version, i.endpoint, i.rows, *times, i.error)
    s = event.scaling
    return "scaling_events", _clean(*head, s.scaler, s.from_replicas, s.to_replicas, s.reason, s.load, s.forecast)


def event_of(kind: str, row: tuple[Any, ...]) -> Event:
    """The event of a row: time, id, tenant, then the columns of `COLUMNS[kind]`."""
    time, ident, tenant, *values = row
    event = Event(id=str(ident), tenant=tenant)
    event.event_time.FromDatetime(_utc(time))
    if kind == "decision":
        names = ("operation", "model", "backend", "kind", "reason", "error")
        decision = DecisionEvent(**dict(zip(names, values[:6], strict=True)))
        decision.latency.CopyFrom(_duration(values[6]))
        decision.cost_usd, decision.score = values[7], values[8]
        decision.input_hash, decision.fallbacks = bytes(values[9]), values[10]
        event.decision.CopyFrom(decision)
    elif kind == "inference":
        inference = InferenceEvent(
            model=values[0], model_version=values[1], endpoint=values[2], rows=values[3], error=values[6]
        )
        inference.queue_time.CopyFrom(_duration(values[4]))
        inference.run_time.CopyFrom(_duration(values[5]))
        event.inference.CopyFrom(inference)
    else:
        names = ("scaler", "from_replicas", "to_replicas", "reason", "load", "forecast")
        event.scaling.CopyFrom(ScalingEvent(**dict(zip(names, values, strict=True))))
    return event


def _clean(*values: Any) -> Row:
    """The values as a row; PostgreSQL's text holds no NUL."""
    return tuple(value.replace("\0", "") if isinstance(value, str) else value for value in values)


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def _duration(seconds: float) -> Duration:
    whole = int(seconds)
    return Duration(seconds=whole, nanos=round((seconds - whole) * 1e9))
