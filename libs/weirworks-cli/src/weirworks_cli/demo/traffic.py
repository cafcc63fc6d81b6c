"""The day's requests: who asks what and when, and how each was answered."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from weirworks_client import WeirClient, WeirError

from weirworks_cli.demo.photos import unlike_any_other

# Of the day's requests; the rest are new pictures.
_REPEATED_PICTURES, _PROMPTS = 0.25, 0.1
LATE = 0.3
_USD_LOCAL, _USD_PROVIDER = 0.0001, 0.02
NEW_PICTURES = 1 - _REPEATED_PICTURES - _PROMPTS
PROMPTS = (
    "Merhaba",
    "Teşekkür ederim",
    "What are your opening hours?",
    "Bu göğüs röntgeninde pnömoni var mı?",
    "Compare the two invoices and explain the difference",
    "Write a Python function that parses a date",
    "Hasta verilerini analiz ederek COVID-19, pnömoni ve normal akciğer dokusu arasındaki farkları karşılaştır",
)


@dataclass(frozen=True, slots=True)
class Answered:
    """One request of the day: seconds since its start, what it cost, what came of it."""

    at: float
    latency: float
    cached: bool
    cost: float
    error: str
    prompt: bool

    @property
    def late(self) -> bool:
        """Not answered at all, or a picture not within 0.3 s; a language model takes its time."""
        return bool(self.error) or (not self.prompt and self.latency > LATE)


@dataclass(slots=True)
class Traffic:
    """Sends the requests when they are due, whether or not earlier ones were answered."""

    pictures: Sequence[bytes]
    seed: int
    # False sends a repeated picture instead of each prompt, where there is no language model.
    prompts: bool = True
    answered: list[Answered] = field(default_factory=list)

    async def send(self, weir: WeirClient, times: Sequence[float]) -> None:
        """Returns when the last request is answered."""
        chance = random.Random(self.seed)  # noqa: S311  (picks requests, guards nothing)
        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, at in enumerate(times):
                await asyncio.sleep(max(0.0, start + at - time.monotonic()))
                draw, pick = chance.random(), chance.random()
                group.create_task(self._one(weir, number, at, draw, pick))

    async def _one(self, weir: WeirClient, number: int, at: float, draw: float, pick: float) -> None:
        started = time.monotonic()
        try:
            cached, cost = await self._ask(weir, number, draw, pick)
            error = ""
        except WeirError as refused:
            cached, cost, error = False, 0.0, refused.reason_word
        latency = time.monotonic() - started
        self.answered.append(Answered(at, latency, cached, cost, error, prompt=self._is_prompt(draw)))

    def _is_prompt(self, draw: float) -> bool:
        return self.prompts and draw < _PROMPTS

    async def _ask(self, weir: WeirClient, number: int, draw: float, pick: float) -> tuple[bool, float]:
        if self._is_prompt(draw):
            prompt = PROMPTS[int(pick * len(PROMPTS))]
            # Every other prompt is one that nobody asked before.
            answer = await weir.generate(prompt if number % 2 else f"{prompt} ({number})")
            return answer.cached, answer.cost_usd
        picture = self.pictures[int(pick * len(self.pictures))]
        if draw < _PROMPTS + _REPEATED_PICTURES:
            # The few pictures that everybody sends.
            picture = self.pictures[int(pick * 12)]
        else:
            picture = unlike_any_other(picture, number)
        labels = await weir.classify_image(picture, top_k=3)
        return labels.cached, 0.0 if labels.cached else _USD_LOCAL


def all_provider_cost(count: int) -> float:
    """What the same requests would cost if a provider answered every one."""
    return count * _USD_PROVIDER
