"""Counts requests behind the answers: a note for each while it is hot, statistics and metrics from many at once."""

import asyncio
import time

from weirworks_inference.instruments import Instruments
from weirworks_inference.lane import Done
from weirworks_inference.model import Model

_INTERVAL = 0.05


class Ledger:
    """`settle` before anything reads statistics; by itself it settles a moment after a note."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self._notes: list[tuple[Model, Done | None, float]] = []
        self._due: asyncio.TimerHandle | None = None

    def note(self, model: Model, done: Done | None, total: float) -> None:
        """One request that took `total` seconds; `done` is None when it was refused."""
        self._notes.append((model, done, total))
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(_INTERVAL, self.settle)

    def settle(self) -> None:
        """Counts what was noted."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        notes, self._notes = self._notes, []
        now = int(time.time() * 1000)
        for model, done, total in notes:
            if done is None:
                model.statistics.record_failure(total)
                continue
            instruments, batch = self._instruments.of(model.name), done.batch
            if done.leads:
                model.statistics.record_run(done.rows, batch.prepare, batch.run, batch.finish, now)
                instruments.run_seconds.observe(done.ran)
                instruments.batch_rows.observe(done.rows)
            model.statistics.record_request(done.waited, batch.prepare, batch.run, batch.finish, total)
            instruments.queue_seconds.observe(done.waited)
