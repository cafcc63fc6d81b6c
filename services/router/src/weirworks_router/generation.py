"""Prompts: the cache first, then the planned backend and its fallbacks in order."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256

from weirworks_rpc import Call
from weirworks_rpc.errors import DeadlineExceeded

from weirworks_router.core.plan import plan
from weirworks_router.core.types import Kind, Plan, Thresholds
from weirworks_router.errors import NoEndpoint, ProviderRefused
from weirworks_router.instruments import Instruments
from weirworks_router.journal import Record
from weirworks_router.providers.protocol import Completion, Prompt, PromptRefused, ProviderFailed
from weirworks_router.providers.table import Backend

_RETRY = timedelta(seconds=2)
# What the first of several backends may take of the time that is left, so that a fallback has some too.
_FIRST_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Attempt:
    """A backend that was tried: `Answered` or why not, and the seconds it took."""

    backend: str
    outcome: str
    seconds: float


@dataclass(slots=True)
class Run:
    """The way of one prompt: its plan, what was tried, and the counts at its end."""

    plan: Plan
    attempts: list[Attempt] = field(default_factory=list)
    completion: Completion = field(default_factory=lambda: Completion("", 0, 0))


class Generation:
    """Answers prompts from providers."""

    def __init__(self, backends: dict[str, Backend], thresholds: Thresholds, instruments: Instruments) -> None:
        self.backends = backends
        self._thresholds = thresholds
        self._instruments = instruments

    def plan(self, prompt: str, tenant: str) -> Plan:
        """Where a prompt would go now."""
        subject = f"{tenant}\0{sha256(prompt.encode()).hexdigest()}"
        views = {name: backend.view() for name, backend in self.backends.items()}
        return plan(prompt, subject, self._thresholds, views)

    async def complete(self, run: Run, prompt: Prompt, record: Record, call: Call) -> str:
        """The whole text. Raises NoEndpoint when every backend failed, ProviderRefused when one judged it."""
        pieces = [piece async for piece in self._pieces(run, prompt, record, call, whole=True)]
        return "".join(pieces)

    def stream(self, run: Run, prompt: Prompt, record: Record, call: Call) -> AsyncIterator[str]:
        """The text in pieces; falls back only before the first one, so nothing is answered twice."""
        return self._pieces(run, prompt, record, call, whole=False)

    async def _pieces(self, run: Run, prompt: Prompt, record: Record, call: Call, *, whole: bool) -> AsyncIterator[str]:
        record.kind, record.reason, record.score = Kind.PROVIDER, run.plan.reason, run.plan.complexity.score
        for position, name in enumerate(run.plan.order):
            backend = self.backends[name]
            last = position == len(run.plan.order) - 1
            timeout = min(backend.timeout, call.time_remaining().total_seconds() * (1 if last else _FIRST_SHARE))
            if timeout <= 0:
                raise DeadlineExceeded
            started, sent = time.monotonic(), False
            try:
                async for piece in _ask(backend, prompt, timeout, whole):
                    if isinstance(piece, Completion):
                        run.completion = piece
                    elif piece:
                        sent = True
                        yield piece
            except ProviderFailed as error:
                self._failed(run, backend, error.outcome, started)
                if sent:
                    break
                continue
            except PromptRefused as error:
                self._note(run, backend, "Refused", started)
                raise ProviderRefused(name, error.status) from None
            backend.succeeded(time.monotonic() - started)
            self._note(run, backend, "Answered", started)
            record.backend, record.fallbacks = name, position
            record.cost = backend.price.of(run.completion.input_tokens, run.completion.output_tokens)
            return
        raise NoEndpoint("backend", [(each.backend, each.outcome) for each in run.attempts], _RETRY)

    def _failed(self, run: Run, backend: Backend, outcome: str, started: float) -> None:
        backend.failed()
        self._note(run, backend, outcome, started)

    def _note(self, run: Run, backend: Backend, outcome: str, started: float) -> None:
        run.attempts.append(Attempt(backend.name, outcome, time.monotonic() - started))
        self._instruments.attempts.labels(backend.name, outcome).inc()


async def _ask(backend: Backend, prompt: Prompt, timeout: float, whole: bool) -> AsyncIterator[str | Completion]:
    backend.in_flight += 1
    try:
        if whole:
            completion = await backend.provider.complete(prompt, timeout)
            yield completion.text
            yield completion
            return
        async for piece in backend.provider.stream(prompt, timeout):
            yield piece
    finally:
        backend.in_flight -= 1
