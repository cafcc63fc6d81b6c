"""One scaler: its spec, its target, its history and what it decided."""

import asyncio
import logging
import math
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import grpc
from weirworks.telemetry.v1.event_pb2 import Event, ScalingEvent
from weirworks_observe.outbox import EventSink

from weirworks_autoscaler.core.forecast.choice import forecast
from weirworks_autoscaler.core.step import decide, unlearned
from weirworks_autoscaler.core.types import Decision, Forecast, Memory, Observation, ScalerSpec
from weirworks_autoscaler.observe import History
from weirworks_autoscaler.providers.protocol import Size, Target

log = logging.getLogger(__name__)
_KEPT = 1_000
# Steps to learn from that are too many for the event loop.
_MANY = 1_000
_SHOWN_QUANTILE = 0.95


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
    # The forecast that was last shown, and the end of the history that it was made from.
    _shown: tuple[datetime, Forecast | None] | None = None
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=_KEPT))

    async def tick(self, now: datetime) -> Entry:
        """Looks, decides, acts and remembers. Raises TargetUnavailable."""
        await self.look()
        return await self.act(await self.decide(now), now)

    async def refresh(self, now: datetime) -> None:
        """Asks telemetry for what is new; where it is away, the decision sees how old its data is."""
        try:
            await self.history.refresh(now)
        except grpc.aio.AioRpcError as error:
            log.warning("no history", extra={"scaler": self.spec.name, "code": error.code().name})

    async def look(self) -> Size:
        """The target's size. Raises TargetUnavailable."""
        self.size = await self.target.size()
        return self.size

    async def decide(self, now: datetime) -> Decision:
        """The decision on what is known of the load and of the target."""
        seen = Observation(self.history.loads(), self.history.step, self.history.until, self.size.replicas)
        if self.spec.forecast_enabled and unlearned(self.memory, seen) > _MANY:
            # Days of history take seconds to learn from; the loop has other scalers.
            self.memory, decision = await asyncio.to_thread(decide, self.spec, self.memory, seen, now)
        else:
            self.memory, decision = decide(self.spec, self.memory, seen, now)
        return decision

    async def act(self, decision: Decision, now: datetime) -> Entry:
        """Resizes where the decision asks for it, and remembers it. Raises TargetUnavailable."""
        if decision.replicas != self.size.replicas:
            await self.target.resize(decision.replicas)
            self._tell(decision, now)
        entry = Entry(now, decision)
        changed = decision.replicas != decision.from_replicas
        if changed or self.last is None or self.last.decision.reason is not decision.reason:
            self.entries.append(entry)
        self.last = entry
        return entry

    async def forecast(self) -> Forecast | None:
        """The load expected within the spec's horizon, to be looked at; None while there is too little history."""
        history, spec = self.history, self.spec
        until = history.until
        if until is None:
            return None
        if self._shown is None or self._shown[0] != until:
            steps = max(1, math.ceil(spec.horizon / history.step))
            arguments = (history.loads().copy(), history.step, until, spec.season, steps, _SHOWN_QUANTILE)
            self._shown = until, await asyncio.to_thread(forecast, *arguments)
        return self._shown[1]

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
