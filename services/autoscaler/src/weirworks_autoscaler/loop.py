"""A tick for every scaler; one that fails leaves the others alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from weirworks_autoscaler.instruments import Instruments
from weirworks_autoscaler.providers.protocol import TargetUnavailable
from weirworks_autoscaler.reporting import report
from weirworks_autoscaler.scaler import Scaler

log = logging.getLogger(__name__)


class Loop:
    """Decides every `interval` until cancelled."""

    def __init__(self, scalers: Sequence[Scaler], interval: timedelta, instruments: Instruments) -> None:
        self._scalers = scalers
        self._interval = interval
        self._instruments = instruments

    async def run(self) -> None:
        await every(self._interval, self._all)

    async def _all(self) -> None:
        for scaler in self._scalers:
            await self._tick(scaler)

    async def _tick(self, scaler: Scaler) -> None:
        now = datetime.now(UTC)
        name = scaler.spec.name
        await scaler.refresh(now)
        try:
            entry = await scaler.tick(now)
        except TargetUnavailable as error:
            log.warning("target unavailable", extra={"scaler": name, "why": str(error)})
            self._instruments.decisions.labels(name, "TargetUnavailable").inc()
            return
        report(self._instruments, name, entry.decision)


async def every(interval: timedelta, tick: Callable[[], Awaitable[None]]) -> None:
    """Ticks at a fixed rate until cancelled; a tick that takes longer delays the next."""
    clock = asyncio.get_running_loop().time
    while True:
        started = clock()
        await tick()
        await asyncio.sleep(max(0.0, interval.total_seconds() - (clock() - started)))
