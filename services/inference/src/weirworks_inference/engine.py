"""Runs one request on one model: find, load, wait in line, run, record.

Every servicer goes through here, so that errors, events and statistics are the same for tensors,
pictures and texts.
"""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from weirworks.telemetry.v1.event_pb2 import Event, InferenceEvent
from weirworks_observe.outbox import EventSink
from weirworks_rpc import Call, WeirError

from weirworks_inference.core.signature import check_inputs, check_outputs
from weirworks_inference.core.types import Task, TensorShape
from weirworks_inference.errors import InvalidTensor, ModelUnsuitable
from weirworks_inference.instruments import Instruments
from weirworks_inference.repository import Loaded, Model, Repository
from weirworks_inference.runtime.protocol import Array, RunFailed, Session
from weirworks_inference.worker import Done, Worker

log = logging.getLogger(__name__)
T = TypeVar("T")


class Engine:
    """The way of a request through the service."""

    def __init__(
        self,
        repository: Repository,
        worker: Worker,
        instruments: Instruments,
        events: EventSink | None,
        endpoint: Callable[[], str],
    ) -> None:
        self.repository = repository
        self._worker = worker
        self._instruments = instruments
        self._events = events
        self._endpoint = endpoint

    async def suitable(self, name: str, version: str, task: Task) -> tuple[Model, Loaded]:
        """The loaded model when it is for `task`. Raises ModelNotFound, ModelBroken, ModelUnsuitable."""
        model = self.repository.find(name, version)
        loaded = await self.repository.load(model)
        if loaded.card.task is not task:
            raise ModelUnsuitable(model.name, loaded.card.task, task)
        return model, loaded

    async def run(self, model: Model, rows: int, call: Call, work: Callable[[], T]) -> Done[T]:
        """`work` on the model's thread, recorded whatever comes of it."""
        arrived = datetime.now(UTC)
        self._instruments.waiting.set(self._worker.waiting)
        try:
            done = await self._worker.run(work, call.time_remaining())
        except RunFailed as error:
            log.warning("run failed", extra={"model": model.name, "why": str(error)[:500]})
            failure = InvalidTensor(model.name, [("inputs", "the model cannot run on these values")])
            self._record(model, call, arrived, rows, error=failure)
            raise failure from None
        except WeirError as error:
            self._record(model, call, arrived, rows, error=error)
            raise
        model.record_run(done.ran)
        self._instruments.run_seconds.labels(model.name).observe(done.ran)
        self._instruments.queue_seconds.labels(model.name).observe(done.waited)
        self._record(model, call, arrived, rows, done=done)
        return done

    async def infer(
        self, model: Model, inputs: Mapping[str, Array], shapes: Sequence[TensorShape], wanted: list[str], call: Call
    ) -> tuple[list[str], list[Array]]:
        """Output names and arrays of checked inputs. Raises InvalidTensor with every mismatch."""
        loaded = await self.repository.load(model)
        signature = loaded.session.signature
        problems = check_inputs(signature, shapes, loaded.card.max_elements) + check_outputs(signature, wanted)
        if problems:
            raise InvalidTensor(model.name, problems)
        names = wanted or [spec.name for spec in signature.outputs]
        rows = shapes[0].shape[0] if shapes and shapes[0].shape else 1
        done = await self.run(model, rows, call, _tensor_run(loaded.session, inputs, names))
        return names, done.value

    def _record(
        self,
        model: Model,
        call: Call,
        arrived: datetime,
        rows: int,
        *,
        done: Done[T] | None = None,
        error: WeirError | None = None,
    ) -> None:
        if self._events is None:
            return
        event = Event(id=str(uuid.uuid4()), tenant=call.tenant)
        event.event_time.FromDatetime(arrived)
        event.inference.CopyFrom(
            InferenceEvent(model=model.name, model_version=model.version, endpoint=self._endpoint(), rows=rows)
        )
        if done is not None:
            event.inference.queue_time.FromTimedelta(timedelta(seconds=done.waited))
            event.inference.run_time.FromTimedelta(timedelta(seconds=done.ran))
        if error is not None:
            event.inference.error = error.reason_word
        self._events.add(event)


def _tensor_run(session: Session, inputs: Mapping[str, Array], names: Sequence[str]) -> Callable[[], list[Array]]:
    return lambda: session.run(inputs, names)
