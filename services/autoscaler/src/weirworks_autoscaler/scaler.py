"""One scaler: its spec, its target, its history and what it decided."""

import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from weirworks.telemetry.v1.event_pb2 import Event, ScalingEvent
from weirworks_observe.outbox import EventSink

from weirworks_autoscaler.core.step import decide
from weirworks_autoscaler.core.types import Decision, Memory, Observation, ScalerSpec
from weirworks_autoscaler.observe import History
from weirworks_autoscaler.providers.protocol import Size, Target

_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision and when it was made."""

    time: datetime
    decision: Decision


@dataclass(slots=True)
class Scaler:
    """Decides for one target at every tick."""

    spec: ScalerSpec
    target: Target
    history: History
    events: EventSink | None
    memory: Memory = field(default_factory=Memory)
    size: Size = field(default_factory=lambda: Size(0, 0))
    last: Entry | None = None
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=_KEPT))

    async def tick(self, now: datetime) -> Entry:
        """Looks, decides, acts and remembers. Raises TargetUnavailable."""
        self.size = await self.target.size()
        seen = Observation(self.history.loads(), self.history.step, self.history.until, self.size.replicas)
        memory, decision = decide(self.spec, self.memory, seen, now)
        if decision.replicas != self.size.replicas:
            await self.target.resize(decision.replicas)
            self._tell(decision, now)
        # Only what was carried out is remembered.
        self.memory = memory
        entry = Entry(now, decision)
        changed = decision.replicas != decision.from_replicas
        if changed or self.last is None or self.last.decision.reason is not decision.reason:
            self.entries.append(entry)
        self.last = entry
        return entry

    def newest_first(self, since: datetime | None) -> Sequence[Entry]:
        """The decisions kept, each change and each new reason."""
        return [entry for entry in reversed(self.entries) if since is None or entry.time >= since]

    def _tell(self, decision: Decision, now: datetime) -> None:
        if self.events is None:
            return
        scaling = ScalingEvent(
            scaler=self.spec.name,
            from_replicas=decision.from_replicas,
            to_replicas=decision.replicas,
            reason=decision.reason,
            load=decision.load,
            forecast=decision.forecast_load or 0.0,
        )
        event = Event(id=str(uuid.uuid4()), scaling=scaling)
        event.event_time.FromDatetime(now)
        self.events.add(event)
