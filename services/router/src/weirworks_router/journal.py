"""Tells telemetry of every request: what was decided, what it took, and never the input itself."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from weirworks.telemetry.v1.event_pb2 import DecisionEvent, Event
from weirworks_observe.hashing import InputHasher
from weirworks_observe.outbox import EventSink
from weirworks_rpc import Call

from weirworks_router.core.types import Kind, Reason
from weirworks_router.instruments import Instruments


@dataclass(slots=True)
class Record:
    """What is known of a request so far; the fields fill as it goes its way."""

    operation: str
    model: str
    input_digest: bytes
    arrived: datetime = field(default_factory=lambda: datetime.now(UTC))
    decision_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    kind: Kind | None = None
    backend: str = ""
    reason: Reason | None = None
    score: float = 0.0
    cost: float = 0.0
    fallbacks: int = 0

    def elapsed(self) -> timedelta:
        """Time since it arrived."""
        return datetime.now(UTC) - self.arrived


class Journal:
    """Writes one event per request, before its answer goes out."""

    def __init__(self, events: EventSink | None, hasher: InputHasher | None, instruments: Instruments) -> None:
        self._events = events
        self._hasher = hasher
        self._instruments = instruments

    def write(self, record: Record, call: Call, error: str = "") -> None:
        """Counts the request and leaves its event for telemetry."""
        kind, reason = record.kind or "", record.reason or ""
        self._instruments.decisions.labels(record.operation, kind, reason, error).inc()
        self._instruments.cost.labels(kind).inc(record.cost)
        if self._events is None:
            return
        decision = DecisionEvent(
            operation=record.operation,
            model=record.model,
            backend=record.backend,
            kind=kind,
            reason=reason,
            error=error,
            cost_usd=record.cost,
            score=record.score,
            fallbacks=record.fallbacks,
        )
        decision.latency.FromTimedelta(max(timedelta(0), record.elapsed()))
        if self._hasher is not None:
            decision.input_hash = self._hasher.hash(call.tenant, record.input_digest)
        event = Event(id=record.decision_id, tenant=call.tenant, decision=decision)
        event.event_time.FromDatetime(record.arrived)
        self._events.add(event)
