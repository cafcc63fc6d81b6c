"""Runs requests to one loaded model on its lane: prepare, stack, run, take apart, finish."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from weirworks_inference.core.batch import BatchRule
from weirworks_inference.core.residency import ModelKey
from weirworks_inference.core.signature import check_inputs, check_outputs
from weirworks_inference.core.stack import stack, stacking_of, unstack
from weirworks_inference.core.types import Card, TensorShape
from weirworks_inference.errors import InvalidTensor
from weirworks_inference.lane import Job, Ran
from weirworks_inference.runtime.protocol import Array, RunFailed, Session
from weirworks_inference.tensors import DTYPES
from weirworks_inference.wire import Contents

Tensors = Mapping[str, Array]
# Forms of requests that were found to fit; callers repeat a few.
_REMEMBERED = 1024
# A run this short, in seconds, may be done on the event loop's thread: nobody notices a pause of that length.
_QUICK = 0.01


# A request's inputs as name, datatype and shape, and the names of the outputs that it wants.
Form = tuple[tuple[tuple[str, str, tuple[int, ...]], ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Fitting:
    """What is known of a form that fits the model: who may share a run, rows, outputs, and each input's bytes."""

    group: object
    rows: int
    outputs: tuple[str, ...]
    inputs: tuple[tuple[str, "np.dtype[Any]", tuple[int, ...], int], ...]
    size: int

    def read(self, raw: Contents) -> dict[str, Array] | None:
        """The inputs out of raw contents, not copied; None where they are not what the form says."""
        if len(raw) != len(self.inputs):
            return None
        arrays: dict[str, Array] = {}
        for (name, dtype, shape, size), contents in zip(self.inputs, raw, strict=True):
            if len(contents) != size:
                return None
            arrays[name] = np.frombuffer(contents, dtype).reshape(shape)
        return arrays


@dataclass(slots=True)
class Work:
    """One request's part of a batch: inputs, or what makes them on the lane's thread; wanted outputs."""

    inputs: Tensors | Callable[[], Tensors]
    outputs: Sequence[str]
    # Makes the request's answer of its outputs; without it they are the answer.
    finish: Callable[[list[Array]], Any] | None = None


@dataclass(slots=True)
class Terms:
    """How one request waits: rows, priority (0 is the most urgent), when it joined and until when it may wait."""

    rows: int
    joined: float
    deadline: float
    priority: int = 0


class Execution:
    """The batches of one model."""

    def __init__(self, key: ModelKey, session: Session, card: Card) -> None:
        self._key = key
        self._session = session
        self._card = card
        self._stacking = stacking_of(session.signature, card.batch) if card.batch.rows > 1 else None
        self._rule = BatchRule(card.batch.rows, card.batch.delay) if self._stacking else BatchRule()
        self._fitting: dict[Form, Fitting] = {}
        self._name = "/".join(key)
        # Mean of lone runs; the first run of a model says little, so it begins above what is quick.
        self._seconds = 2 * _QUICK
        # Output → datatype.
        self.datatypes = {spec.name: spec.datatype for spec in session.signature.outputs}

    @property
    def batches(self) -> bool:
        """True when requests share runs."""
        return self._stacking is not None

    def known(self, form: Form) -> Fitting | None:
        """What was found when a request of that form came before."""
        return self._fitting.get(form)

    def check(self, form: Form) -> Fitting:
        """Raises InvalidTensor with every mismatch of a request's tensors with the model's."""
        shapes, wanted = [TensorShape(*each) for each in form[0]], form[1]
        signature = self._session.signature
        problems = check_inputs(signature, shapes, self._card.max_elements) + check_outputs(signature, wanted)
        if problems:
            raise InvalidTensor(self._key[0], problems)
        outputs = wanted or tuple(spec.name for spec in signature.outputs)
        inputs = tuple(
            (each.name, DTYPES[each.datatype], each.shape, prod(each.shape) * DTYPES[each.datatype].itemsize)
            for each in shapes
            # Strings have no size that a shape could tell; their requests are read the long way.
            if each.datatype in DTYPES
        )
        fitting = Fitting(
            self.group({each.name: each.shape for each in shapes}, outputs),
            shapes[0].shape[0] if shapes and shapes[0].shape else 1,
            outputs,
            inputs,
            sum(size for *_, size in inputs),
        )
        if len(self._fitting) >= _REMEMBERED:
            self._fitting.clear()
        self._fitting[form] = fitting
        return fitting

    def group(self, shapes: Mapping[str, tuple[int, ...]], wanted: Sequence[str]) -> object:
        """Requests of one group may share a run."""
        if self._stacking is None:
            return self._name
        return (id(self), self._stacking.group(shapes), tuple(wanted))

    def job(self, work: Work, group: object, terms: Terms, size: int = 0) -> Job:
        """The request as the lane takes it; `size` is the bytes of its inputs."""
        return Job(
            group,
            self._rule,
            terms.rows,
            terms.priority,
            terms.joined,
            terms.deadline,
            self._name,
            self._run,
            work,
            size,
            self._seconds < _QUICK,
        )

    def _run(self, jobs: Sequence[Job]) -> Ran:
        start = time.perf_counter()
        outcomes: list[Any] = [None] * len(jobs)
        ready: list[tuple[int, Tensors]] = []
        for position, job in enumerate(jobs):
            try:
                inputs = job.payload.inputs
                ready.append((position, inputs() if callable(inputs) else inputs))
            # Goes to the caller whose picture or text it is; the others run.
            except Exception as error:
                outcomes[position] = error
        prepared = ran = time.perf_counter()
        if ready:
            answers = self._answers([inputs for _, inputs in ready], jobs[ready[0][0]].payload.outputs)
            ran = time.perf_counter()
            for (position, _), answer in zip(ready, answers, strict=True):
                outcomes[position] = _finished(jobs[position].payload, answer)
        end = time.perf_counter()
        if len(jobs) == 1:
            self._seconds += 0.2 * (end - start - self._seconds)
        return Ran(outcomes, prepared - start, ran - prepared, end - ran)

    def _answers(self, requests: Sequence[Tensors], outputs: Sequence[str]) -> list[list[Array] | Exception]:
        if self._stacking is None:
            return [self._alone(request, outputs) for request in requests]
        try:
            together = self._session.run(stack(self._stacking, requests), outputs)
            return list(unstack(self._stacking, requests, outputs, together))
        except RunFailed as error:
            if len(requests) == 1:
                return [error]
            # One request's values must not cost its neighbours their answers.
            return [self._alone(request, outputs) for request in requests]

    def _alone(self, request: Tensors, outputs: Sequence[str]) -> list[Array] | Exception:
        try:
            return self._session.run(request, outputs)
        except RunFailed as error:
            return error


def _finished(work: Work, answer: list[Array] | Exception) -> Any:
    if isinstance(answer, Exception) or work.finish is None:
        return answer
    try:
        return work.finish(answer)
    except Exception as error:
        return error
