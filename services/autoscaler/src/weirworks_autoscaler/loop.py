"""A tick for every scaler; one that fails leaves the others alone."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import grpc

from weirworks_autoscaler.instruments import Instruments
from weirworks_autoscaler.providers.protocol import TargetUnavailable
from weirworks_autoscaler.reporting import report
from weirworks_autoscaler.scaler import Scaler

log = logging.getLogger(__name__)


class Loop:
    """Decides every `interval` until cancelled."""

    def __init__(self, scalers: Sequence[Scaler], interval: timedelta, instruments: Instruments) -> None:
        self._scalers = scalers
        self._interval = interval.total_seconds()
        self._instruments = instruments

    async def run(self) -> None:
        """Ticks at a fixed rate; a tick that takes longer delays the next."""
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            for scaler in self._scalers:
                await self._tick(scaler)
            await asyncio.sleep(max(0.0, self._interval - (clock() - started)))

    async def _tick(self, scaler: Scaler) -> None:
        now = datetime.now(UTC)
        name = scaler.spec.name
        try:
            await scaler.history.refresh(now)
        except grpc.aio.AioRpcError as error:
            # The decision sees how old its data is and keeps the count once that is too old.
            log.warning("no history", extra={"scaler": name, "code": error.code().name})
        try:
            entry = await scaler.tick(now)
        except TargetUnavailable as error:
            log.warning("target unavailable", extra={"scaler": name, "why": str(error)})
            self._instruments.decisions.labels(name, "TargetUnavailable").inc()
            return
        report(self._instruments, name, entry.decision)
