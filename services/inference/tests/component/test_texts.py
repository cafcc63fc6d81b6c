"""Texts: which model embeds them, what is kept of it, streams, and answers token by token."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from weirworks.cache.v1 import cache_service_pb2, entry_pb2
from weirworks.inference.v1 import model_service_pb2, text_pb2
from weirworks_inference.app import InferenceApp
from weirworks_inference.settings import InferenceSettings
from weirworks_rpc import Call, Server, ServerOptions, Service, open_channel
from weirworks_testkit.calls import ask, refusal
from weirworks_testkit.running import running, serving, until
from weirworks_testkit.tiny_generator import write_generator
from weirworks_testkit.tiny_models import write_encoder

MODELS = "/weirworks.inference.v1.ModelService"
App = Callable[..., InferenceApp]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_encoder(root)
    write_encoder(root, "turkish")
    write_generator(root)
    return root


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def app(repository: Path, settings_of: Callable[..., InferenceSettings], registry: CollectorRegistry) -> App:
    def make(**fields: object) -> InferenceApp:
        return InferenceApp(settings_of(repository, text_models={"tr": "turkish"}, **fields), registry)

    return make


@pytest.fixture
async def address(app: App) -> AsyncIterator[str]:
    async with running(app()) as where:
        yield where


async def embed(address: str, *texts: str, **fields: object) -> text_pb2.EmbedTextResponse:
    request = text_pb2.EmbedTextRequest(texts=texts, **fields)  # type: ignore[arg-type]
    return await ask(address, f"{MODELS}/EmbedText", request, text_pb2.EmbedTextResponse)


@pytest.mark.parametrize(
    ("texts", "fields", "model", "languages"),
    [
        pytest.param(["hello world"], {}, "minilm", ["en"], id="English"),
        pytest.param(["merhaba dünya"], {}, "turkish", ["tr"], id="Turkish"),
        pytest.param(["hello world", "merhaba dünya"], {}, "turkish", ["en", "tr"], id="both"),
        pytest.param(["42"], {"prefer_turkish": True}, "turkish", [""], id="unknown, Turkish preferred"),
        pytest.param(["hello"], {"language": "tr"}, "turkish", ["tr"], id="language given"),
        pytest.param(["merhaba dünya"], {"model": "minilm"}, "minilm", ["tr"], id="model given"),
    ],
)
async def test_the_language_of_the_texts_picks_the_model(
    address: str, texts: list[str], fields: dict[str, Any], model: str, languages: list[str]
) -> None:
    answer = await embed(address, *texts, **fields)
    assert answer.model == model
    assert [each.language for each in answer.embeddings] == languages


async def test_texts_of_unlike_length_come_back_in_their_order(address: str) -> None:
    texts = ["hello", "world hello world", "merhaba", "world", "hello hello hello hello"] * 20
    answer = await embed(address, *texts, model="minilm")
    for text, each in zip(texts, answer.embeddings, strict=True):
        words = {"hello": 1, "world": 2, "merhaba": 3}
        mean = np.mean([np.eye(4)[words[word]] for word in text.split()], axis=0)
        assert np.allclose(each.values, mean / np.linalg.norm(mean), atol=1e-6)
        assert each.tokens == len(text.split())


async def test_a_text_that_was_embedded_is_not_run_again(address: str, registry: CollectorRegistry) -> None:
    def counted(source: str) -> float:
        return registry.get_sample_value("weirworks_inference_embeddings_total", {"source": source}) or 0

    first = await embed(address, "hello world")
    again = await embed(address, "hello world", "hello")
    assert list(first.embeddings[0].values) == list(again.embeddings[0].values)
    assert (counted("model"), counted("cache")) == (2, 1)
    cleared = await ask(
        address,
        f"{MODELS}/ClearCaches",
        model_service_pb2.ClearCachesRequest(),
        model_service_pb2.ClearCachesResponse,
    )
    assert cleared.embeddings == 2
    await embed(address, "hello world")
    assert counted("model") == 3


async def test_memory_keeps_the_last_few(app: App) -> None:
    async with running(app(embeddings=2)) as where:
        for text in ("hello", "world", "merhaba"):
            await embed(where, text, model="minilm")
        cleared = await ask(
            where,
            f"{MODELS}/ClearCaches",
            model_service_pb2.ClearCachesRequest(),
            model_service_pb2.ClearCachesResponse,
        )
        assert cleared.embeddings == 2


class Shelves:
    """A cache service that keeps everything."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, bytes], bytes] = {}
        self.asked = 0

    async def lookup_entry(
        self, request: cache_service_pb2.LookupEntryRequest, call: Call
    ) -> cache_service_pb2.LookupEntryResponse:
        self.asked += 1
        value = self.kept.get((call.tenant, request.key.SerializeToString(deterministic=True)))
        entry = entry_pb2.Entry(value=value) if value is not None else None
        return cache_service_pb2.LookupEntryResponse(entry=entry)

    async def store_entry(
        self, request: cache_service_pb2.StoreEntryRequest, call: Call
    ) -> cache_service_pb2.StoreEntryResponse:
        self.kept[call.tenant, request.key.SerializeToString(deterministic=True)] = request.value
        return cache_service_pb2.StoreEntryResponse()


async def test_vectors_outlive_the_process_in_the_cache_service(app: App, registry: CollectorRegistry) -> None:
    shelves = Shelves()
    service = cache_service_pb2.DESCRIPTOR.services_by_name["CacheService"]
    async with AsyncExitStack() as stack:
        cache = await stack.enter_async_context(serving(Server([Service(service, shelves)], ServerOptions())))
        where = await stack.enter_async_context(running(app(cache=cache, embeddings=0, cache_timeout=5)))
        first = await embed(where, "hello world")
        await until(lambda: len(shelves.kept) == 1)
        second = await embed(where, "hello world")
    assert list(first.embeddings[0].values) == list(second.embeddings[0].values)
    assert second.embeddings[0].tokens == 2
    assert registry.get_sample_value("weirworks_inference_embeddings_total", {"source": "cache"}) == 1
    (key,) = shelves.kept
    assert b"hello" not in key[1]


async def test_a_cache_that_is_away_costs_nothing_but_a_try(app: App) -> None:
    async with running(app(cache="127.0.0.1:1")) as where:
        for text in ("hello", "world"):
            assert len((await embed(where, text, model="minilm")).embeddings) == 1


async def test_a_stream_of_texts_goes_on_after_a_bad_request(address: str) -> None:
    requests = [text_pb2.EmbedTextRequest(texts=texts) for texts in (["hello"], [""], ["world"])]
    async with open_channel(address) as channel:
        call = channel.stream_stream(
            f"{MODELS}/EmbedTextStream",
            text_pb2.EmbedTextStreamRequest.SerializeToString,
            text_pb2.EmbedTextStreamResponse.FromString,
        )
        stream = call(iter([text_pb2.EmbedTextStreamRequest(request=each) for each in requests]), timeout=30)
        answers = [answer async for answer in stream]
    assert [len(answer.response.embeddings) for answer in answers] == [1, 0, 1]
    assert answers[1].error.startswith("INVALID_FIELD")


async def generate(address: str, **fields: object) -> list[text_pb2.GenerateTextResponse]:
    async with open_channel(address) as channel:
        call = channel.unary_stream(
            f"{MODELS}/GenerateText",
            text_pb2.GenerateTextRequest.SerializeToString,
            text_pb2.GenerateTextResponse.FromString,
        )
        request = text_pb2.GenerateTextRequest(model="counter", **fields)  # type: ignore[arg-type]
        return [piece async for piece in call(request, timeout=30)]


async def test_an_answer_comes_token_by_token(address: str) -> None:
    pieces = await generate(address, prompt="two three")
    assert "".join(piece.text for piece in pieces).split() == ["four", "five", "six", "seven"]
    assert [piece.tokens for piece in pieces] == [1, 2, 3, 4, 4]
    assert [piece.done for piece in pieces] == [False] * 4 + [True]
    assert not pieces[-1].truncated


async def test_an_answer_is_cut_at_its_limit(address: str) -> None:
    pieces = await generate(address, prompt="zero", max_tokens=2)
    assert "".join(piece.text for piece in pieces).split() == ["one", "two"]
    assert pieces[-1].truncated


async def test_a_decoder_takes_no_tensors_and_an_encoder_no_prompts(address: str) -> None:
    request = text_pb2.EmbedTextRequest(model="counter", texts=["hello"])
    error = await refusal(address, f"{MODELS}/EmbedText", request.SerializeToString())
    assert error.reason_word == "MODEL_UNSUITABLE"
    request = text_pb2.GenerateTextRequest(model="minilm", prompt="hello")
    error = await refusal(address, f"{MODELS}/GenerateText", request.SerializeToString())
    assert error.reason_word == "MODEL_UNSUITABLE"
