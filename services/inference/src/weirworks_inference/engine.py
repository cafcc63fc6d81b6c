"""Runs one request on one model: find, load, wait in line, run, record.

Every servicer goes through here, so that errors, events and statistics are the same for tensors,
pictures and texts.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from weirworks.telemetry.v1.event_pb2 import Event, InferenceEvent
from weirworks_observe.outbox import EventSink
from weirworks_rpc import Call, WeirError

from weirworks_inference.core.types import Task, TensorShape
from weirworks_inference.errors import InvalidTensor, ModelUnsuitable
from weirworks_inference.execution import Execution, Terms, Work
from weirworks_inference.instruments import Instruments
from weirworks_inference.lane import Done, Lane
from weirworks_inference.model import Loaded, Model
from weirworks_inference.residents import Residents, find
from weirworks_inference.runtime.protocol import RunFailed

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tensors:
    """A request's tensors without their values, what makes the values, and their bytes."""

    shapes: Sequence[TensorShape]
    work: Work
    bytes: int
    priority: int = 0
    # Longest time in the line, in seconds; 0 is until the call's deadline.
    patience: float = 0.0


class Engine:
    """The way of a request through the service."""

    def __init__(
        self,
        residents: Residents,
        lane: Lane,
        instruments: Instruments,
        events: EventSink | None,
        endpoint: Callable[[], str],
    ) -> None:
        self.residents = residents
        self.lane = lane
        self._instruments = instruments
        self._events = events
        self._endpoint = endpoint
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="aside")

    def close(self) -> None:
        """Ends the thread beside the lane."""
        self._aside.shutdown(wait=False, cancel_futures=True)

    async def aside(self, work: Callable[[], T]) -> T:
        """`work` on a thread beside the lane: what is long for the event loop and needs no device."""
        return await asyncio.get_running_loop().run_in_executor(self._aside, work)

    def find(self, name: str, version: str) -> Model:
        """The model; its default version where none is named. Raises ModelNotFound."""
        return find(self.residents.shelf, name, version)

    async def suitable(self, name: str, version: str, task: Task, call: Call) -> tuple[Model, Loaded]:
        """The loaded model when it is for `task`. Raises ModelUnsuitable and what a load raises."""
        model = self.find(name, version)
        with model.in_use():
            loaded = await self.residents.load(model, call.time_remaining())
        if loaded.card.task is not task:
            raise ModelUnsuitable(model.name, loaded.card.task, task)
        return model, loaded

    async def infer(self, model: Model, tensors: Tensors, call: Call) -> Done:
        """The outcome of checked inputs. Raises InvalidTensor with every mismatch, and what a load or a line raises."""
        with model.in_use():
            loaded = model.loaded or await self.residents.load(model, call.time_remaining())
            execution = execution_of(model, loaded)
            problems, group, rows = execution.check(tensors.shapes, tensors.work.outputs)
            if problems:
                raise InvalidTensor(model.name, problems)
            return await self._run(model, execution, tensors, group, rows, call)

    async def run(self, model: Model, loaded: Loaded, tensors: Tensors, call: Call) -> Done:
        """The same for inputs that our own code makes, whose shapes are known to fit."""
        with model.in_use():
            execution = execution_of(model, loaded)
            group = execution.group({each.name: each.shape for each in tensors.shapes}, tensors.work.outputs)
            return await self._run(model, execution, tensors, group, tensors.shapes[0].shape[0], call)

    async def step(self, model: Model, work: Callable[[], Any], call: Call) -> Done:
        """`work` on the model's device, alone: one token of an answer in the making."""
        return await self._recorded(model, call, 1, lambda: self.lane.do(model.name, work, call.time_remaining()))

    async def _run(
        self, model: Model, execution: Execution, tensors: Tensors, group: object, rows: int, call: Call
    ) -> Done:
        now = time.monotonic()
        remaining = call.time_remaining().total_seconds()
        patience = min(remaining, tensors.patience) if tensors.patience else remaining
        terms = Terms(rows, now, now + patience, tensors.priority)
        job = execution.job(tensors.work, group, terms, tensors.bytes)
        return await self._recorded(model, call, rows, lambda: self.lane.run(job))

    async def _recorded(self, model: Model, call: Call, rows: int, run: Callable[[], Any]) -> Done:
        started = time.monotonic()
        self._instruments.waiting.set(self.lane.waiting + 1)
        try:
            done: Done = await run()
        except RunFailed as error:
            log.warning("run failed", extra={"model": model.name, "why": str(error)[:500]})
            failure = InvalidTensor(model.name, [("inputs", "the model cannot run on these values")])
            model.statistics.record_failure(time.monotonic() - started)
            self._record(model, call, started, rows, error=failure)
            raise failure from None
        except WeirError as error:
            model.statistics.record_failure(time.monotonic() - started)
            self._record(model, call, started, rows, error=error)
            raise
        batch = done.batch
        if done.leads:
            model.statistics.record_run(done.rows, batch.prepare, batch.run, batch.finish, int(time.time() * 1000))
            self._instruments.run_seconds.labels(model.name).observe(done.ran)
            self._instruments.batch_rows.labels(model.name).observe(done.rows)
        model.statistics.record_request(done.waited, batch.prepare, batch.run, batch.finish, time.monotonic() - started)
        self._instruments.queue_seconds.labels(model.name).observe(done.waited)
        self._record(model, call, started, rows, done=done)
        return done

    def _record(
        self,
        model: Model,
        call: Call,
        started: float,
        rows: int,
        *,
        done: Done | None = None,
        error: WeirError | None = None,
    ) -> None:
        if self._events is None:
            return
        event = Event(id=str(uuid.uuid4()), tenant=call.tenant)
        event.event_time.FromDatetime(datetime.now(UTC) - timedelta(seconds=time.monotonic() - started))
        event.inference.CopyFrom(
            InferenceEvent(model=model.name, model_version=model.version, endpoint=self._endpoint(), rows=rows)
        )
        if done is not None:
            event.inference.queue_time.FromTimedelta(timedelta(seconds=done.waited))
            event.inference.run_time.FromTimedelta(timedelta(seconds=done.ran))
        if error is not None:
            event.inference.error = error.reason_word
        self._events.add(event)


def execution_of(model: Model, loaded: Loaded) -> Execution:
    """What runs its tensors. Raises ModelUnsuitable for a model that takes prompts."""
    if loaded.execution is None:
        raise ModelUnsuitable(model.name, loaded.card.task, Task.TENSOR)
    return loaded.execution
