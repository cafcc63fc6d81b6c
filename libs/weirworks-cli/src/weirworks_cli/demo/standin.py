"""OpenAI-compatible stand-ins for language models, for the demo and for tests.

They speak the wire protocol, take their time and cost what the settings say; their answers are templates
and say so.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp import web

_TURKISH = set("çğıöşüÇĞİÖŞÜ")


@dataclass(frozen=True, slots=True)
class Arm:
    """One stand-in: its delay, its share of failures, the length of its answers and its price."""

    name: str
    delay: timedelta
    sentences: int
    usd_per_request: float
    # Of this many calls the first fails; 0 never fails.
    fails_one_in: int = 0


ARMS = (
    Arm("small", timedelta(milliseconds=60), 1, 0.0001),
    Arm("large", timedelta(milliseconds=400), 4, 0.02),
    Arm("bargain", timedelta(milliseconds=250), 3, 0.012, fails_one_in=3),
)


@dataclass(frozen=True, slots=True)
class Standins:
    """Where the running arms are."""

    urls: dict[str, str]


@asynccontextmanager
async def running_standins(arms: Sequence[Arm] = ARMS, seed: int = 7) -> AsyncIterator[Standins]:
    """One HTTP server per arm on free loopback ports."""
    runners, urls = [], {}
    try:
        for arm in arms:
            application = web.Application()
            application.add_routes([web.post("/v1/chat/completions", _Answering(arm, seed).answer)])
            runner = web.AppRunner(application)
            await runner.setup()
            runners.append(runner)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            urls[arm.name] = f"http://{host}:{port}/v1"
        yield Standins(urls)
    finally:
        for runner in runners:
            await runner.cleanup()


class _Answering:
    def __init__(self, arm: Arm, seed: int) -> None:
        self._arm = arm
        self._random = random.Random(seed)  # noqa: S311  (varies delays, guards nothing)
        self._calls = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self._calls += 1
        delay = self._arm.delay.total_seconds() * self._random.uniform(0.8, 1.2)
        if self._arm.fails_one_in and (self._calls - 1) % self._arm.fails_one_in == 0:
            await asyncio.sleep(delay / 4)
            return web.json_response({"error": {"message": "the stand-in is overloaded on purpose"}}, status=503)
        prompt = str(body["messages"][-1]["content"])
        words = _text(self._arm, prompt).split(" ")
        usage = {"prompt_tokens": max(1, len(prompt) // 4), "completion_tokens": len(words)}
        usage["total_tokens"] = sum(usage.values())
        if body.get("stream"):
            return await self._stream(request, words, usage, delay)
        await asyncio.sleep(delay)
        message = {"role": "assistant", "content": " ".join(words)}
        return web.json_response(
            {
                "id": f"standin-{self._calls}",
                "object": "chat.completion",
                "created": 0,
                "model": self._arm.name,
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": usage,
            }
        )

    async def _stream(
        self, request: web.Request, words: list[str], usage: dict[str, int], delay: float
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in words:
            await asyncio.sleep(delay / len(words))
            choice = {"index": 0, "delta": {"content": word + " "}, "finish_reason": None}
            await response.write(_event(self._chunk([choice])))
        await response.write(_event({**self._chunk([]), "usage": usage}))
        await response.write(b"data: [DONE]\n\n")
        return response

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": f"standin-{self._calls}",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": self._arm.name,
            "choices": choices,
        }


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _text(arm: Arm, prompt: str) -> str:
    subject = prompt.strip().splitlines()[0][:60]
    turkish = bool(_TURKISH & set(prompt)) or prompt.lower().startswith("merhaba")
    head = f'[{arm.name}, yerine konan yanıt] "{subject}"' if turkish else f'[{arm.name}, stand-in] "{subject}"'
    more = (
        ["Önce kapsam.", "Sonra kanıt.", "Son olarak öneri."]
        if turkish
        else ["First the scope.", "Then the evidence.", "Last a recommendation."]
    )
    return " ".join([head, *more[: arm.sentences - 1]])
