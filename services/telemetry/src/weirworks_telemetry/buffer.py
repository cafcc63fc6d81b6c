"""Bounded waiting room before the database: callers that come while a commit runs share the next one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import psycopg
from psycopg_pool import PoolTimeout
from weirworks_rpc import InvalidFields, Violation, WeirError
from weirworks_rpc.errors import StoreUnavailable

from weirworks_telemetry.core.rows import Batch
from weirworks_telemetry.errors import BufferFull

log = logging.getLogger(__name__)
Write = Callable[[Batch], Awaitable[int]]


class Buffer:
    """`write` returns after the commit that holds the rows, so an answer is a promise."""

    def __init__(self, write: Write, limit: int) -> None:
        self._write = write
        self._limit = limit
        self._waiting: list[tuple[Batch, asyncio.Future[int]]] = []
        self._rows = 0
        self._wake = asyncio.Event()

    @property
    def rows(self) -> int:
        """Rows that wait."""
        return self._rows

    async def write(self, batch: Batch) -> int:
        """How many events of the batch were new. Raises BufferFull or StoreUnavailable."""
        if self._rows + len(batch) > self._limit:
            raise BufferFull(self._limit)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, future))
        self._rows += len(batch)
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Commits what waits until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, []
            await self._commit(waiting)
            self._rows -= sum(len(batch) for batch, _ in waiting)

    async def _commit(self, waiting: list[tuple[Batch, asyncio.Future[int]]]) -> None:
        events = [(batch, future) for batch, future in waiting if _has_events(batch)]
        # Events answer with how many were new, so each caller's are counted apart, in one line of commits.
        for batch, future in events:
            await self._commit_one([(batch, future)], batch)
        rest = [(batch, future) for batch, future in waiting if not _has_events(batch)]
        if rest:
            together = Batch()
            for batch, _ in rest:
                together.extend(batch)
            await self._commit_one(rest, together)

    async def _commit_one(self, waiting: list[tuple[Batch, asyncio.Future[int]]], batch: Batch) -> None:
        try:
            new = await self._write(batch)
        except psycopg.DataError as error:
            log.warning("rows refused", exc_info=error, extra={"rows": len(batch)})
            if len(waiting) > 1:
                # One caller's bad value must not cost the others their rows.
                for each in waiting:
                    await self._commit_one([each], each[0])
                return
            _fail(waiting, InvalidFields([Violation("request", "holds a value that the database does not take")]))
            return
        except (psycopg.Error, PoolTimeout, OSError):
            log.exception("write failed", extra={"rows": len(batch)})
            _fail(waiting, StoreUnavailable("postgres"))
            return
        for _, future in waiting:
            if not future.done():
                future.set_result(new)


def _fail(waiting: list[tuple[Batch, asyncio.Future[int]]], error: WeirError) -> None:
    for _, future in waiting:
        if not future.done():
            future.set_exception(error)


def _has_events(batch: Batch) -> bool:
    return any(table.endswith("_events") for table in batch.rows)
