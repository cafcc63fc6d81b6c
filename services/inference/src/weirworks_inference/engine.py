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
from weirworks_inference.lane import Done, Job, Lane, alone
from weirworks_inference.ledger import Ledger
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
        self.ledger = Ledger(instruments)
        self._events = events
        self._endpoint = endpoint
        instruments.waiting.set_function(lambda: lane.waiting)
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

    async def infer(self, model: Model, job: Job, call: Call) -> Done:
        """The job's outcome, recorded whatever comes of it; the caller keeps the model in use meanwhile."""
        try:
            done = await self.lane.run(job)
        except RunFailed as error:
            log.warning("run failed", extra={"model": model.name, "why": str(error)[:500]})
            failure = InvalidTensor(model.name, [("inputs", "the model cannot run on these values")])
            self._refused(model, call, job, failure)
            raise failure from None
        except WeirError as error:
            self._refused(model, call, job, error)
            raise
        self.ledger.note(model, done, time.monotonic() - job.joined)
        if self._events is not None:
            self._record(model, call, job, done=done)
        return done

    async def run(self, model: Model, loaded: Loaded, tensors: Tensors, call: Call) -> Done:
        """The outcome of tensors that our own code makes, whose shapes are known to fit."""
        execution = execution_of(model, loaded)
        group = execution.group({each.name: each.shape for each in tensors.shapes}, tensors.work.outputs)
        now = time.monotonic()
        terms = Terms(tensors.shapes[0].shape[0], now, now + call.time_remaining().total_seconds())
        with model.in_use():
            return await self.infer(model, execution.job(tensors.work, group, terms, tensors.bytes), call)

    async def step(self, model: Model, work: Callable[[], Any], call: Call) -> Done:
        """`work` on the model's device, alone: one token of an answer in the making."""
        job = alone(model.name, work, call.time_remaining().total_seconds())
        return await self.infer(model, job, call)

    def _refused(self, model: Model, call: Call, job: Job, error: WeirError) -> None:
        self.ledger.note(model, None, time.monotonic() - job.joined)
        if self._events is not None:
            self._record(model, call, job, error=error)

    def _record(
        self, model: Model, call: Call, job: Job, *, done: Done | None = None, error: WeirError | None = None
    ) -> None:
        event = Event(id=str(uuid.uuid4()), tenant=call.tenant)
        event.event_time.FromDatetime(datetime.now(UTC) - timedelta(seconds=time.monotonic() - job.joined))
        event.inference.CopyFrom(
            InferenceEvent(model=model.name, model_version=model.version, endpoint=self._endpoint(), rows=job.rows)
        )
        if done is not None:
            event.inference.queue_time.FromTimedelta(timedelta(seconds=done.waited))
            event.inference.run_time.FromTimedelta(timedelta(seconds=done.ran))
        if error is not None:
            event.inference.error = error.reason_word
        assert self._events is not None
        self._events.add(event)


def execution_of(model: Model, loaded: Loaded) -> Execution:
    """What runs its tensors. Raises ModelUnsuitable for a model that takes prompts."""
    if loaded.execution is None:
        raise ModelUnsuitable(model.name, loaded.card.task, Task.TENSOR)
    return loaded.execution
