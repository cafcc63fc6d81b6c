import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import grpc
import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from weirworks.router.v1 import generate_pb2, router_service_pb2
from weirworks_cache.app import CacheApp
from weirworks_cache.settings import CacheSettings
from weirworks_cli.demo.standin import Arm, running_standins
from weirworks_client import Generated, Planned, WeirClient, WeirError
from weirworks_inference.app import InferenceApp
from weirworks_inference.settings import InferenceSettings
from weirworks_router.app import RouterApp
from weirworks_router.settings import RouterSettings
from weirworks_rpc import open_channel
from weirworks_rpc.oip import messages
from weirworks_testkit.calls import call_bytes, refusal
from weirworks_testkit.pictures import bomb, picture
from weirworks_testkit.running import running, until
from weirworks_testkit.tiny_models import write_repository

ROUTER = "/weirworks.router.v1.RouterService"
OIP = "/inference.GRPCInferenceService"
ARMS = (
    Arm("small", timedelta(0), 1, 0.0001),
    Arm("large", timedelta(0), 4, 0.02),
    Arm("down", timedelta(0), 1, 0.0, fails_one_in=1),
)
COMPLEX = "Analyze and compare the contract clause, explain the diagnosis and design a Python API"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_repository(tmp_path_factory.mktemp("models"))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as entered:
        yield entered


@pytest.fixture
async def inference(models: Path, tmp_path: Path, stack: AsyncExitStack) -> str:
    settings = InferenceSettings(models=models, data_dir=tmp_path / "inference")
    return await stack.enter_async_context(running(InferenceApp(settings, CollectorRegistry())))


@pytest.fixture
async def cache(tmp_path: Path, stack: AsyncExitStack) -> str:
    settings = CacheSettings(data_dir=tmp_path / "cache")
    return await stack.enter_async_context(running(CacheApp(settings, CollectorRegistry())))


@pytest.fixture
async def router(inference: str, cache: str, tmp_path: Path, stack: AsyncExitStack) -> str:
    standins = await stack.enter_async_context(running_standins(ARMS))
    backends = [
        {"name": arm.name, "api": "openai", "model": arm.name, "base_url": standins.urls[arm.name]}
        | {"usd_per_request": arm.usd_per_request}
        for arm in ARMS
    ]
    bands = {"local": ["small"], "experiment": ["small", "large"], "provider": ["down", "large"]}
    settings = RouterSettings(
        inference=[inference],
        cache=cache,
        data_dir=tmp_path / "router",
        backends=json.loads(json.dumps(backends)),
        bands=bands,
        cached=["classify-image", "embed-text", "generate", "infer"],
    )
    return await stack.enter_async_context(running(RouterApp(settings, CollectorRegistry())))


@pytest.fixture
async def weir(router: str) -> AsyncIterator[WeirClient]:
    async with WeirClient(router) as client:
        yield client


async def test_a_picture_comes_from_the_model_and_then_from_the_cache(weir: WeirClient) -> None:
    first = await weir.classify_image(picture("blue"))
    assert (first.labels[0].label, first.cached) == ("blue", False)
    await until(lambda: _is_cached(weir))
    again = await weir.classify_image(picture("blue"))
    assert again.labels == first.labels
    assert again.decision_id != first.decision_id


async def _is_cached(weir: WeirClient) -> bool:
    return (await weir.classify_image(picture("blue"))).cached


async def test_parameters_are_part_of_the_key(weir: WeirClient) -> None:
    english = await weir.classify_image(picture("blue"), language="en")
    turkish = await weir.classify_image(picture("blue"), language="tr")
    assert (english.labels[0].label, turkish.labels[0].label) == ("blue", "mavi")


async def test_tenants_do_not_share_answers(router: str) -> None:
    async with WeirClient(router, "a") as one, WeirClient(router, "b") as other:
        await one.classify_image(picture("blue"))
        await until(lambda: _is_cached(one))
        assert not (await other.classify_image(picture("blue"))).cached


async def test_many_who_ask_the_same_at_once_cost_one_run(weir: WeirClient) -> None:
    answers = await asyncio.gather(*(weir.embed_text(["hello world"]) for _ in range(12)))
    assert sum(not answer.cached for answer in answers) == 1


async def test_a_simple_prompt_is_answered_by_the_small_one(weir: WeirClient) -> None:
    answer = await weir.generate("Merhaba")
    assert answer.attempts == [("small", "Answered")]
    assert (answer.planned.reason, answer.cost_usd) == ("SimplePrompt", 0.0001)
    assert "Merhaba" in answer.text


async def test_a_failing_backend_falls_to_the_next(weir: WeirClient) -> None:
    answer = await weir.generate(COMPLEX)
    assert answer.attempts == [("down", "Http503"), ("large", "Answered")]
    assert answer.cost_usd == 0.02


async def test_a_repeated_prompt_costs_nothing(weir: WeirClient) -> None:
    first = await weir.generate("Hello")

    async def cached() -> bool:
        return (await weir.generate("Hello")).cached

    await until(cached)
    again = await weir.generate("Hello")
    assert (again.text, again.cost_usd, again.planned.reason) == (first.text, 0.0, "CacheHit")


async def test_a_stream_begins_with_the_route_and_ends_with_a_summary(weir: WeirClient) -> None:
    parts = [part async for part in weir.generate_stream(COMPLEX)]
    assert isinstance(parts[0], Planned)
    assert isinstance(parts[-1], Generated)
    pieces = [part for part in parts if isinstance(part, str)]
    assert len(pieces) > 3
    assert parts[-1].attempts[-1] == ("large", "Answered")
    whole = await weir.generate(COMPLEX, skip_cache=True)
    assert "".join(pieces).strip() == whole.text


async def test_explaining_sends_nothing(weir: WeirClient) -> None:
    plan = await weir.explain_route("Bu göğüs röntgeninde pnömoni var mı?")
    assert 30 <= plan.score < 60
    assert plan.reason == "ExperimentArm"
    assert plan.decision_id == ""


async def test_a_tensor_passes_as_bytes_and_from_the_cache_with_its_own_id(router: str) -> None:
    request = messages.ModelInferRequest(model_name="identity", id="first")
    request.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    request.raw_input_contents.append(np.array([1, 2], np.float32).tobytes())
    for ident in ("first", "second", "third"):
        request.id = ident
        wire = await call_bytes(router, f"{OIP}/ModelInfer", request.SerializeToString())
        answer = messages.ModelInferResponse.FromString(wire)
        assert answer.id == ident
        assert answer.raw_output_contents == request.raw_input_contents


async def test_oip_questions_are_passed_on(router: str) -> None:
    request = messages.ModelMetadataRequest(name="adder").SerializeToString()
    metadata = messages.ModelMetadataResponse.FromString(await call_bytes(router, f"{OIP}/ModelMetadata", request))
    assert metadata.name == "adder"
    ready = messages.ServerReadyResponse.FromString(await call_bytes(router, f"{OIP}/ServerReady", b""))
    assert ready.ready


@pytest.mark.parametrize(
    ("method", "wire", "reason"),
    [
        pytest.param(
            f"{ROUTER}/ClassifyImage", router_service_pb2.ClassifyImageRequest(), "INVALID_IMAGE", id="no picture"
        ),
        pytest.param(
            f"{ROUTER}/ClassifyImage",
            router_service_pb2.ClassifyImageRequest(request={"image": bomb()}),
            "INVALID_IMAGE",
            id="bomb",
        ),
        pytest.param(
            f"{ROUTER}/ClassifyImage",
            router_service_pb2.ClassifyImageRequest(request={"image": picture(), "model": "none"}),
            "MODEL_NOT_FOUND",
            id="unknown model",
        ),
        pytest.param(f"{ROUTER}/EmbedText", router_service_pb2.EmbedTextRequest(), "INVALID_FIELD", id="no text"),
        pytest.param(f"{ROUTER}/Generate", generate_pb2.GenerateRequest(), "INVALID_FIELD", id="no prompt"),
        pytest.param(
            f"{ROUTER}/Generate",
            generate_pb2.GenerateRequest(prompt="x", temperature=float("nan")),
            "INVALID_FIELD",
            id="temperature that is no number",
        ),
        pytest.param(
            f"{ROUTER}/Generate", generate_pb2.GenerateRequest(prompt="x" * 200_001), "INVALID_FIELD", id="oversize"
        ),
        pytest.param(
            f"{ROUTER}/ExplainRoute", router_service_pb2.ExplainRouteRequest(), "INVALID_FIELD", id="nothing to explain"
        ),
        pytest.param(
            f"{ROUTER}/ListBackends", router_service_pb2.ListBackendsRequest(page_size=-1), "INVALID_FIELD", id="page"
        ),
        pytest.param(
            f"{OIP}/ModelInfer", messages.ModelInferRequest(model_name="none"), "MODEL_NOT_FOUND", id="no such model"
        ),
    ],
)
async def test_a_bad_request_gets_the_right_reason(router: str, method: str, wire: object, reason: str) -> None:
    error = await refusal(router, method, wire.SerializeToString())
    assert error.reason_word == reason
    assert error.code is not grpc.StatusCode.INTERNAL


async def test_a_bad_stream_is_refused_before_its_first_part(router: str, weir: WeirClient) -> None:
    with pytest.raises(WeirError) as caught:
        _ = [part async for part in weir.generate_stream("  ")]
    assert [violation.field for violation in caught.value.violations] == ["prompt"]
    async with open_channel(router) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_stream(f"{ROUTER}/GenerateStream")(b"\xff", timeout=5).read()
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", [f"{ROUTER}/Generate", f"{ROUTER}/ClassifyImage", f"{OIP}/ModelInfer"])
async def test_bytes_that_are_no_message_are_refused(router: str, method: str) -> None:
    error = await refusal(router, method, b"\x0a\xff")
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_dead_cache_costs_nobody_an_answer(inference: str, tmp_path: Path) -> None:
    settings = RouterSettings(inference=[inference], cache="127.0.0.1:9", data_dir=tmp_path / "r")
    async with running(RouterApp(settings, CollectorRegistry())) as where, WeirClient(where) as weir:
        assert (await weir.classify_image(picture("red"))).labels[0].label == "red"


async def test_a_cache_that_hangs_leaves_time_for_an_answer(inference: str, tmp_path: Path) -> None:
    # The kernel accepts the connection, and nobody ever answers on it.
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        cache = f"127.0.0.1:{mute.getsockname()[1]}"
        settings = RouterSettings(inference=[inference], cache=cache, data_dir=tmp_path / "r")
        async with (
            running(RouterApp(settings, CollectorRegistry())) as where,
            WeirClient(where, timeout=timedelta(seconds=2)) as weir,
        ):
            assert (await weir.classify_image(picture("red"))).labels[0].label == "red"


async def test_without_an_endpoint_the_error_says_when_to_retry(tmp_path: Path) -> None:
    settings = RouterSettings(inference=["127.0.0.1:9"], data_dir=tmp_path / "r")
    async with running(RouterApp(settings, CollectorRegistry())) as where, WeirClient(where) as weir:
        with pytest.raises(WeirError) as picture_error:
            await weir.classify_image(picture("red"))
        with pytest.raises(WeirError) as prompt_error:
            await weir.generate("Merhaba")
    for caught in (picture_error, prompt_error):
        assert caught.value.reason_word == "NO_ENDPOINT"
        assert caught.value.retry_after


async def test_a_dead_endpoint_beside_a_live_one_goes_unnoticed(inference: str, tmp_path: Path) -> None:
    settings = RouterSettings(inference=["127.0.0.1:9", inference], data_dir=tmp_path / "r")
    async with running(RouterApp(settings, CollectorRegistry())) as where, WeirClient(where) as weir:
        for _ in range(12):
            await weir.classify_image(picture("red"))


async def test_endpoints_come_and_go_with_their_file(inference: str, tmp_path: Path) -> None:
    file = tmp_path / "endpoints.json"
    settings = RouterSettings(endpoints_file=file, data_dir=tmp_path / "r")
    async with running(RouterApp(settings, CollectorRegistry())) as where, WeirClient(where) as weir:
        assert await weir.list_backends() == []
        file.write_text("not json")
        file.write_text(json.dumps({"endpoints": [inference]}))

        async def names() -> list[str]:
            return [backend.name for backend in await weir.list_backends()]

        async def has_it() -> bool:
            return await names() == [inference]

        await until(has_it)
        await weir.classify_image(picture("red"))
        file.write_text(json.dumps({"endpoints": []}))

        async def has_none() -> bool:
            return await names() == []

        await until(has_none)


def test_a_band_with_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown backends: nobody"):
        RouterSettings(bands={"local": ["nobody"]})
