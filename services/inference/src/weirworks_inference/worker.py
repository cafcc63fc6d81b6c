"""The one thread that runs models, with a bounded line before it.

Callers that gave up leave the line; a request whose deadline passed is not run. The thread is held to
its share of a core by the account in `core.quota`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from weirworks_rpc.errors import DeadlineExceeded

from weirworks_inference.core import quota
from weirworks_inference.errors import QueueFull

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A finished job: its value, how long it waited and how long it ran, in seconds."""

    value: T
    waited: float
    ran: float


@dataclass(slots=True)
class _Job:
    work: Callable[[], Any]
    deadline: float
    joined: float
    future: "asyncio.Future[Done[Any]]"


class Worker:
    """Runs jobs one at a time, first come first served."""

    def __init__(self, limit: int, share: float) -> None:
        self._limit = limit
        self._share = share
        self._line: deque[_Job] = deque()
        self._wake = asyncio.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="model")
        # Mean time of a run, for the retry time of a refusal; the prior is one small model's.
        self._mean = 0.02

    @property
    def waiting(self) -> int:
        """Jobs in the line."""
        return len(self._line)

    async def run(self, work: Callable[[], T], remaining: timedelta) -> Done[T]:
        """The result of `work`, run on the thread. Raises QueueFull, DeadlineExceeded, or what `work` raises."""
        if len(self._line) >= self._limit:
            raise QueueFull(self._limit, timedelta(seconds=self._mean * len(self._line) / self._share))
        now = time.monotonic()
        job = _Job(work, now + remaining.total_seconds(), now, asyncio.get_running_loop().create_future())
        self._line.append(job)
        self._wake.set()
        return await job.future

    async def serve(self) -> None:
        """Runs jobs until cancelled."""
        loop = asyncio.get_running_loop()
        account = quota.opened(self._share, time.monotonic())
        while True:
            while not self._line:
                self._wake.clear()
                await self._wake.wait()
            job = self._line.popleft()
            if job.future.done():
                continue
            start = time.monotonic()
            if start >= job.deadline:
                job.future.set_exception(DeadlineExceeded())
                continue
            outcome, used = await loop.run_in_executor(self._executor, _timed, job.work)
            end = time.monotonic()
            self._mean += 0.1 * (used - self._mean)
            _settle(job, outcome, start, end)
            account, wait = quota.charge(account, self._share, used, end)
            if wait > 0 and self._share < 1:
                await asyncio.sleep(wait)

    def close(self) -> None:
        """Ends the thread once the running job is through; jobs in the line are cancelled."""
        for job in self._line:
            job.future.cancel()
        self._executor.shutdown(wait=False, cancel_futures=True)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result or the exception of `work`, and the CPU time that this thread spent on it."""
    start = time.thread_time()
    try:
        outcome: Any = work()
    # Handed to the caller that waits for it, in `_settle`.
    except Exception as error:
        outcome = error
    return outcome, time.thread_time() - start


def _settle(job: _Job, outcome: Any, start: float, end: float) -> None:
    if job.future.done():
        return
    if isinstance(outcome, Exception):
        job.future.set_exception(outcome)
    else:
        job.future.set_result(Done(outcome, start - job.joined, end - start))
