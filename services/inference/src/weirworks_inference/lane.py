"""The one thread of a device, with a bounded line before it.

The thread itself takes the next batch when it is free (`core.batch` chooses), so a device never waits for
the event loop. Callers that gave up leave the line; a request whose deadline passed is not run. The
thread is held to its share of a core by the account in `core.quota`.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Any

from weirworks_rpc.errors import DeadlineExceeded

from weirworks_inference.core import quota
from weirworks_inference.core.batch import BatchRule, Gathering, Waiting, choose, gather
from weirworks_inference.errors import QueueFull

# Runs for which it is remembered that callers came together, and rounds of the event loop in which they show.
_REMEMBERED, _TURNS = 16, 4


# Not frozen, like all that is made for every request: a frozen one takes three times as long to make.
@dataclass(slots=True)
class Ran:
    """What became of a batch: an outcome for each job, an exception for one that failed; times in seconds."""

    outcomes: Sequence[Any]
    prepare: float = 0.0
    run: float = 0.0
    finish: float = 0.0


@dataclass(slots=True)
class Done:
    """A finished job: its value, how long it waited, and the times of the batch that it was in."""

    value: Any
    waited: float
    batch: Ran
    rows: int
    # True for one job of each batch, so that a batch is counted once.
    leads: bool

    @property
    def ran(self) -> float:
        """Seconds of the whole run."""
        return self.batch.prepare + self.batch.run + self.batch.finish


# `eq` by identity: jobs are looked up in the line, and their payloads hold arrays.
@dataclass(slots=True, eq=False)
class Job(Waiting):
    """One request in the line. `work` of the first job runs the whole batch on the lane's thread."""

    model: str
    work: Callable[[Sequence["Job"]], Ran]
    payload: Any = None
    bytes: int = 0
    # True for one that holds nobody up: it may run where it is asked for when the lane is idle.
    quick: bool = False
    future: "asyncio.Future[Done]" = field(init=False)


class Lane:
    """Runs batches one at a time. `limit` counts waiting requests of one model, `limit_bytes` those of all."""

    def __init__(self, limit: int, limit_bytes: int, share: float) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._share = share
        self._lock = threading.Lock()
        # What the lock guards: the line, what is counted of it, and what the thread waits for.
        self._line: list[Job] = []
        self._counts: Counter[str] = Counter()
        self._bytes = 0
        self._gathering: Gathering | None = None
        # Runs since there was more than one caller, counted down; at 0 a caller is alone.
        self._company = _REMEMBERED
        self._asleep = False
        self._closed = False
        self._alarm: SimpleQueue[None] = SimpleQueue()
        # Mean time of a request, for the retry time of a refusal; the prior is one small model's.
        self._mean = 0.02
        self._debt = 0.0
        self._thread = threading.Thread(target=self._serve, name="lane", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Requests in the line."""
        return len(self._line)

    async def run(self, job: Job) -> Done:
        """The job's outcome. Raises QueueFull, DeadlineExceeded, or what the job came to."""
        job.future = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._counts[job.model] >= self._limit or (self._bytes and self._bytes + job.bytes > self._limit_bytes):
                wait = self._mean * len(self._line) / self._share
                raise QueueFull(job.model, self._counts[job.model], timedelta(seconds=max(0.001, wait)))
            self._line.append(job)
            self._counts[job.model] += 1
            self._bytes += job.bytes
            if not self._asleep or not self._matters(job):
                pass
            elif job.quick and not self._company and self._share == 1 and len(self._line) == 1:
                job.future.get_loop().call_soon(self._turn, job, _TURNS)
            else:
                self._wake()
        try:
            return await job.future
        except asyncio.CancelledError:
            with self._lock:
                if job in self._line:
                    self._leave(job)
            raise

    def charge(self, seconds: float) -> None:
        """Takes CPU time that another thread spent for this lane's models off its share."""
        self._debt += seconds

    def close(self) -> None:
        """Ends the thread once the running batch is through; jobs in the line are cancelled."""
        with self._lock:
            self._closed = True
            for job in self._line:
                job.future.cancel()
            self._line.clear()
            self._wake()

    def _serve(self) -> None:
        account = quota.opened(self._share, time.monotonic())
        while (batch := self._next()) is not None:
            used = self._run(batch)
            # Else the last batch would keep its model in memory until the next one comes.
            del batch
            if self._share < 1:
                debt, self._debt = self._debt, 0.0
                account, wait = quota.charge(account, self._share, used + debt, time.monotonic())
                time.sleep(wait)

    def _run(self, batch: Sequence[Job]) -> float:
        """Runs a batch and tells its callers; CPU seconds."""
        start, used = time.monotonic(), time.thread_time()
        outcome = _outcome(lambda: batch[0].work(batch))
        ran = outcome if isinstance(outcome, Ran) else Ran([outcome] * len(batch))
        _tell(batch[0].future.get_loop(), _settle, batch, ran, start)
        used = time.thread_time() - used
        self._mean += 0.1 * (used / len(batch) - self._mean)
        end = time.monotonic()
        with self._lock:
            self._gathering = gather(batch, self._line, end - start, end)
            self._company = _REMEMBERED if len(batch) > 1 or self._line else max(0, self._company - 1)
        return used

    def _turn(self, job: Job, turns: int) -> None:
        """Runs a quick job that is alone on the event loop's own thread, for a change of threads costs more.

        First the loop goes round a few times: those who came in the same moment are in the line by then.
        """
        with self._lock:
            if job not in self._line:
                return
            if len(self._line) > 1 or not self._asleep or job.deadline <= time.monotonic():
                self._company = _REMEMBERED
                self._wake()
                return
            if turns:
                job.future.get_loop().call_soon(self._turn, job, turns - 1)
                return
            self._leave(job)
        start = time.monotonic()
        outcome = _outcome(lambda: job.work((job,)))
        _settle((job,), outcome if isinstance(outcome, Ran) else Ran([outcome]), start)

    def _next(self) -> Sequence[Job] | None:
        while True:
            with self._lock:
                if self._closed:
                    return None
                now = time.monotonic()
                if self._gathering is not None and self._gathering.until <= now:
                    self._gathering = None
                choice = choose(self._line, now, self._gathering)
                for job in (*choice.expired, *choice.run):
                    self._leave(job)
                if choice.expired:
                    _tell(choice.expired[0].future.get_loop(), _expire, choice.expired)
                if choice.run:
                    return choice.run
                self._asleep = True
            self._sleep(choice.look_again)

    def _sleep(self, until: float | None) -> None:
        """Until somebody wakes the thread, at the latest at a moment of the monotonic clock."""
        try:
            self._alarm.get(timeout=None if until is None else max(0.0, until - time.monotonic()))
        except Empty:
            with self._lock:
                # Whoever woke it in this very moment has left a mark that would wake it for nothing.
                if not self._asleep:
                    self._alarm.get()
                self._asleep = False

    def _wake(self) -> None:
        if self._asleep:
            self._asleep = False
            self._alarm.put(None)

    def _matters(self, job: Job) -> bool:
        """False while the thread waits for more of the job's group than are there: it wakes by itself in time."""
        gathering = self._gathering
        if gathering is None or gathering.group != job.group or gathering.until <= time.monotonic():
            return True
        return len(self._line) >= gathering.rows

    def _leave(self, job: Job) -> None:
        self._line.remove(job)
        self._counts[job.model] -= 1
        if not self._counts[job.model]:
            del self._counts[job.model]
        self._bytes -= job.bytes


def alone(model: str, work: Callable[[], Any], seconds: float) -> Job:
    """`work` as a job that shares its run with no other."""
    now = time.monotonic()

    def run(_jobs: Sequence[Job]) -> Ran:
        start = time.perf_counter()
        outcome = _outcome(work)
        return Ran([outcome], run=time.perf_counter() - start)

    return Job(object(), BatchRule(), 1, 0, now, now + seconds, model, run)


def _outcome(work: Callable[[], Any]) -> Any:
    """The result of `work`, or the exception that it raised: the caller that waits for it gets it."""
    try:
        return work()
    except Exception as error:
        return error


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *arguments: Any) -> None:
    try:
        loop.call_soon_threadsafe(what, *arguments)
    except RuntimeError:
        # The loop is closed: nobody waits any more.
        return


def _settle(batch: Sequence[Job], ran: Ran, start: float) -> None:
    rows = sum(job.rows for job in batch)
    leads = True
    for job, outcome in zip(batch, ran.outcomes, strict=True):
        if job.future.done():
            continue
        if isinstance(outcome, Exception):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(Done(outcome, start - job.joined, ran, rows, leads))
            leads = False


def _expire(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if not job.future.done():
            job.future.set_exception(DeadlineExceeded())
