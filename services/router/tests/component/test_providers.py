"""Both official SDKs against servers that speak their wire: answers, streams, refusals, failures."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from weirworks_router.providers.anthropic import AnthropicProvider
from weirworks_router.providers.openai import OpenAIProvider
from weirworks_router.providers.protocol import Completion, Prompt, PromptRefused, Provider, ProviderFailed

PROMPT = Prompt("question", "be brief", 64, 0.5)
MESSAGE = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "small",
    "content": [{"type": "text", "text": "an answer"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 2},
}
CHAT = {
    "id": "c",
    "object": "chat.completion",
    "created": 0,
    "model": "small",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "an answer"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
}
EVENTS = (
    {"type": "message_start", "message": {**MESSAGE, "content": [], "usage": {"input_tokens": 7, "output_tokens": 0}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "an "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "answer"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
)


def chunk(**fields: object) -> dict[str, object]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "small", "choices": [], **fields}


def piece(text: str) -> dict[str, object]:
    return chunk(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


CHUNKS = (piece("an "), piece("answer"), chunk(usage=CHAT["usage"]))


class Speaking:
    """A server of one dialect; `status` makes it refuse, `cut` breaks its streams in the middle."""

    def __init__(self, whole: dict[str, object], parts: tuple[dict[str, object], ...]) -> None:
        self.whole = whole
        self.parts = parts
        self.status = 200
        self.cut = False
        self.body: dict[str, object] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.body = await request.json()
        if self.status != 200:
            return web.json_response({"error": {"type": "x", "message": "a secret of the server"}}, status=self.status)
        if not self.body.get("stream"):
            return web.json_response(self.whole)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in self.parts[: 3 if self.cut else None]:
            name = f"event: {part['type']}\n" if "type" in part else ""
            await response.write(f"{name}data: {json.dumps(part)}\n\n".encode())
        if self.cut:
            assert request.transport is not None
            request.transport.close()
        return response


Made = tuple[Provider, Speaking]


@asynccontextmanager
async def speaking(server: Speaking, path: str, make: Callable[[str], Provider]) -> AsyncIterator[Made]:
    application = web.Application()
    application.add_routes([web.post(path, server.answer)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    provider = make(f"http://{host}:{port}")
    yield provider, server
    await provider.close()
    await runner.cleanup()


@pytest.fixture(params=["openai", "anthropic"])
async def made(request: pytest.FixtureRequest) -> AsyncIterator[Made]:
    if request.param == "openai":
        context = speaking(
            Speaking(CHAT, CHUNKS), "/v1/chat/completions", lambda url: OpenAIProvider("small", f"{url}/v1", "key")
        )
    else:
        context = speaking(
            Speaking(MESSAGE, EVENTS), "/v1/messages", lambda url: AnthropicProvider("small", url, "key")
        )
    async with context as pair:
        yield pair


async def test_a_whole_answer_comes_with_its_counts(made: Made) -> None:
    provider, server = made
    assert await provider.complete(PROMPT, 5) == Completion("an answer", 7, 2)
    assert server.body["temperature"] == 0.5
    assert "be brief" in json.dumps(server.body)


async def test_a_stream_ends_with_its_counts(made: Made) -> None:
    provider, _ = made
    parts = [part async for part in provider.stream(PROMPT, 5)]
    assert parts == ["an ", "answer", Completion("", 7, 2)]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_prompt_that_is_judged_is_refused(made: Made, status: int) -> None:
    provider, server = made
    server.status = status
    with pytest.raises(PromptRefused) as caught:
        await provider.complete(PROMPT, 5)
    assert caught.value.status == status


@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_any_other_status_is_a_failure_with_a_word(made: Made, status: int) -> None:
    provider, server = made
    server.status = status
    for asked in (provider.complete(PROMPT, 5), anext(provider.stream(PROMPT, 5))):
        with pytest.raises(ProviderFailed) as caught:
            await asked
        assert caught.value.outcome == f"Http{status}"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_stream_that_breaks_is_a_failure(made: Made) -> None:
    provider, server = made
    server.cut = True
    with pytest.raises(ProviderFailed):
        _ = [part async for part in provider.stream(PROMPT, 5)]


async def test_a_server_that_is_away_is_unreachable() -> None:
    for provider in (
        OpenAIProvider("m", "http://127.0.0.1:9/v1", "k"),
        AnthropicProvider("m", "http://127.0.0.1:9", "k"),
    ):
        with pytest.raises(ProviderFailed, match="Unreachable"):
            await provider.complete(PROMPT, 5)
        await provider.close()
