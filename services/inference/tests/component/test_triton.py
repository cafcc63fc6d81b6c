"""Triton's protocol beyond a plain infer, as bytes on a real server."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import numpy as np
import onnx
import pytest
from onnx import TensorProto
from prometheus_client import CollectorRegistry
from weirworks_inference.app import InferenceApp
from weirworks_inference.settings import InferenceSettings
from weirworks_rpc import WeirError, open_channel
from weirworks_rpc.oip import SERVICE, messages
from weirworks_testkit.calls import ask, call_bytes, refusal, tensor_request
from weirworks_testkit.running import running
from weirworks_testkit.tiny_models import write_identity, write_repository

OIP = "/inference.GRPCInferenceService"
BATCHED = 'task = "tensor"\n[batch]\nrows = 8\n'


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_repository(tmp_path_factory.mktemp("models"))
    write_identity(root, "halves", kind=TensorProto.FLOAT16)
    write_identity(root, "brains", kind=TensorProto.BFLOAT16)
    write_identity(root, "batched")
    (root / "batched" / "1" / "card.toml").write_text(BATCHED)
    return root


@pytest.fixture
async def address(repository: Path, settings_of: Callable[..., InferenceSettings]) -> AsyncIterator[str]:
    async with running(InferenceApp(settings_of(repository), CollectorRegistry())) as where:
        yield where


async def infer(address: str, request: messages.ModelInferRequest) -> messages.ModelInferResponse:
    return await ask(address, f"{OIP}/ModelInfer", request, messages.ModelInferResponse)


async def test_every_call_of_the_protocol_is_answered_by_our_own_code(address: str) -> None:
    for method in SERVICE.methods:
        if method.client_streaming:
            continue
        try:
            await call_bytes(address, f"{OIP}/{method.name}", b"")
        except WeirError as error:
            assert error.reason_word in ("MODEL_NOT_FOUND", "NOT_OFFERED"), method.name
            assert error.reason_word != "NOT_OFFERED" or "Shared" in method.name


@pytest.mark.parametrize(
    ("model", "datatype", "values"),
    [
        pytest.param("halves", "FP16", np.array([[1.5, -2]], np.float16), id="FP16"),
        pytest.param("brains", "BF16", np.array([[0x3FC0, 0xC000]], np.uint16), id="BF16"),
    ],
)
async def test_short_floats_come_back_bit_by_bit(address: str, model: str, datatype: str, values: np.ndarray) -> None:
    answer = await infer(address, tensor_request(model, datatype, x=values))
    assert answer.outputs[0].datatype == datatype
    assert answer.raw_output_contents[0] == values.tobytes()


async def test_requests_side_by_side_share_runs_and_get_their_own_rows(address: str) -> None:
    requests = [tensor_request("batched", x=np.full((1, 3), tag, np.float32)) for tag in range(40)]
    answers = await asyncio.gather(*(infer(address, request) for request in requests))
    for tag, answer in enumerate(answers):
        assert np.frombuffer(answer.raw_output_contents[0], np.float32).tolist() == [tag] * 3
    statistics = await ask(
        address,
        f"{OIP}/ModelStatistics",
        messages.ModelStatisticsRequest(name="batched"),
        messages.ModelStatisticsResponse,
    )
    (own,) = statistics.model_stats
    assert own.inference_count == 40
    assert own.execution_count < 40
    assert sum(batch.batch_size * batch.compute_infer.count for batch in own.batch_stats) == 40
    assert own.inference_stats.success.count == own.inference_stats.queue.count == 40
    assert own.memory_usage[0].byte_size > 0


async def test_the_configuration_tells_tensors_batching_and_where_it_runs(address: str) -> None:
    request = messages.ModelConfigRequest(name="batched")
    config = (await ask(address, f"{OIP}/ModelConfig", request, messages.ModelConfigResponse)).config
    assert config.max_batch_size == 8
    assert [list(each.dims) for each in config.input] == [[-1]]
    assert config.parameters["providers"].string_value == "cpu"
    assert len(config.parameters["sha256"].string_value) == 64
    alone = (
        await ask(
            address, f"{OIP}/ModelConfig", messages.ModelConfigRequest(name="adder"), messages.ModelConfigResponse
        )
    ).config
    assert alone.max_batch_size == 0
    assert [list(each.dims) for each in alone.input] == [[-1, 2], [-1, 2]]


async def test_classification_ranks_an_output_with_its_labels(address: str) -> None:
    picture = np.zeros((2, 3, 8, 8), np.float32)
    picture[0, 1], picture[1, 2] = 1, 1
    request = tensor_request("lite0", image=picture)
    request.outputs.add(name="logits").parameters["classification"].int64_param = 2
    answer = await infer(address, request)
    assert answer.outputs[0].datatype == "BYTES"
    assert list(answer.outputs[0].shape) == [2, 2]
    assert b":1:green" in answer.raw_output_contents[0]
    assert b":2:blue" in answer.raw_output_contents[0]
    request.outputs[0].parameters["classification"].int64_param = 0
    assert (await refusal(address, f"{OIP}/ModelInfer", request.SerializeToString())).reason_word == "INVALID_TENSOR"


async def test_a_stream_answers_in_order_and_outlives_an_error(address: str) -> None:
    requests = [tensor_request("identity", x=np.full((1, 2), tag, np.float32)) for tag in range(5)]
    requests[2].model_name = "nothing"
    for number, request in enumerate(requests):
        request.id = str(number)
        request.parameters["triton_enable_empty_final_response"].bool_param = True
    async with open_channel(address) as channel:
        call = channel.stream_stream(
            f"{OIP}/ModelStreamInfer",
            messages.ModelInferRequest.SerializeToString,
            messages.ModelStreamInferResponse.FromString,
        )
        answers = [answer async for answer in call(iter(requests), timeout=30)]
    assert [answer.infer_response.id for answer in answers] == ["0", "1", "2", "3", "4"]
    assert [bool(answer.error_message) for answer in answers] == [False, False, True, False, False]
    assert answers[2].error_message.startswith("NOT_FOUND")
    assert answers[0].infer_response.parameters["triton_final_response"].bool_param


async def test_the_repository_is_listed_loaded_and_unloaded(address: str) -> None:
    async def index() -> dict[str, tuple[str, str]]:
        request = messages.RepositoryIndexRequest()
        answer = await ask(address, f"{OIP}/RepositoryIndex", request, messages.RepositoryIndexResponse)
        return {model.name: (model.state, model.reason) for model in answer.models}

    async def ready() -> bool:
        request = messages.ModelReadyRequest(name="adder")
        return (await ask(address, f"{OIP}/ModelReady", request, messages.ModelReadyResponse)).ready

    assert (await index())["adder"] == ("AVAILABLE", "")
    load, unload = (
        messages.RepositoryModelLoadRequest(model_name="adder"),
        messages.RepositoryModelUnloadRequest(model_name="adder"),
    )
    await ask(address, f"{OIP}/RepositoryModelLoad", load, messages.RepositoryModelLoadResponse)
    assert (await index())["adder"] == ("READY", "")
    await ask(address, f"{OIP}/RepositoryModelUnload", unload, messages.RepositoryModelUnloadResponse)
    assert (await index())["adder"] == ("UNAVAILABLE", "unloaded")
    assert not await ready()
    request = tensor_request("adder", a=np.ones((1, 2), np.float32), b=np.ones((1, 2), np.float32))
    assert (await refusal(address, f"{OIP}/ModelInfer", request.SerializeToString())).reason_word == "MODEL_WITHDRAWN"
    await ask(address, f"{OIP}/RepositoryModelLoad", load, messages.RepositoryModelLoadResponse)
    assert await ready()
    await infer(address, request)
    broken = messages.RepositoryModelLoadRequest(model_name="broken").SerializeToString()
    assert (await refusal(address, f"{OIP}/RepositoryModelLoad", broken)).reason_word == "MODEL_BROKEN"
    assert "not a model" in (await index())["broken"][1]
    load.parameters["config"].string_param = "{}"
    error = await refusal(address, f"{OIP}/RepositoryModelLoad", load.SerializeToString())
    assert error.code is grpc.StatusCode.UNIMPLEMENTED


async def test_log_settings_change_the_level_and_say_what_they_cannot(address: str) -> None:
    root = logging.getLogger()
    before = root.level
    try:
        request = messages.LogSettingsRequest()
        request.settings["log_verbose_level"].uint32_param = 1
        answer = await ask(address, f"{OIP}/LogSettings", request, messages.LogSettingsResponse)
        assert answer.settings["log_verbose_level"].uint32_param == 1
        assert root.level == logging.DEBUG
        request = messages.LogSettingsRequest()
        request.settings["log_info"].bool_param = False
        answer = await ask(address, f"{OIP}/LogSettings", request, messages.LogSettingsResponse)
        assert not answer.settings["log_info"].bool_param
        request.settings["log_file"].string_param = "/tmp/elsewhere"
        error = await refusal(address, f"{OIP}/LogSettings", request.SerializeToString())
        assert [violation.field for violation in error.violations] == ["settings[log_file]"]
    finally:
        root.setLevel(before)


async def test_trace_settings_are_told_and_not_changed(address: str) -> None:
    answer = await ask(address, f"{OIP}/TraceSetting", messages.TraceSettingRequest(), messages.TraceSettingResponse)
    assert list(answer.settings["trace_mode"].value) == ["opentelemetry"]
    assert list(answer.settings["trace_rate"].value) == ["20"]
    request = messages.TraceSettingRequest()
    request.settings["trace_rate"].value.append("1")
    error = await refusal(address, f"{OIP}/TraceSetting", request.SerializeToString())
    assert error.code is grpc.StatusCode.UNIMPLEMENTED


async def test_what_is_not_offered_says_so(address: str) -> None:
    request = tensor_request("identity", x=np.ones((1, 1), np.float32))
    request.parameters["sequence_id"].int64_param = 7
    assert (await refusal(address, f"{OIP}/ModelInfer", request.SerializeToString())).reason_word == "NOT_OFFERED"
    request = tensor_request("identity", x=np.ones((1, 1), np.float32))
    request.inputs[0].parameters["shared_memory_region"].string_param = "mine"
    assert (await refusal(address, f"{OIP}/ModelInfer", request.SerializeToString())).reason_word == "NOT_OFFERED"
    error = await refusal(address, f"{OIP}/SystemSharedMemoryRegister", b"")
    assert "send tensors in the message" in error.message


@pytest.mark.parametrize(
    ("name", "value"), [pytest.param("priority", -1, id="priority"), pytest.param("timeout", -5, id="timeout")]
)
async def test_nonsense_parameters_are_named(address: str, name: str, value: int) -> None:
    request = tensor_request("identity", x=np.ones((1, 1), np.float32))
    request.parameters[name].int64_param = value
    error = await refusal(address, f"{OIP}/ModelInfer", request.SerializeToString())
    assert [violation.field for violation in error.violations] == [f"parameters[{name}]"]


async def test_a_file_that_crashes_the_runtime_costs_its_own_process_alone(
    repository: Path, settings_of: Callable[..., InferenceSettings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "python").write_text("#!/bin/sh\nkill -SEGV $$\n")
    (tmp_path / "python").chmod(0o755)
    fresh = settings_of(repository).model_copy(update={"optimized_dir": tmp_path / "none"})
    async with running(InferenceApp(fresh, CollectorRegistry())) as where:
        request = tensor_request("identity", x=np.ones((1, 1), np.float32))
        error = await refusal(where, f"{OIP}/ModelInfer", request.SerializeToString())
        assert error.reason_word == "MODEL_BROKEN"
        assert "by signal 11" in error.message
        assert await call_bytes(where, f"{OIP}/ServerLive", b"")


async def test_an_optimised_graph_is_made_once_and_used_after(
    repository: Path, settings_of: Callable[..., InferenceSettings], tmp_path: Path
) -> None:
    fresh = settings_of(repository).model_copy(update={"optimized_dir": tmp_path / "graphs"})
    request = tensor_request("identity", x=np.ones((1, 1), np.float32))
    for _ in range(2):
        async with running(InferenceApp(fresh, CollectorRegistry())) as where:
            await infer(where, request)
    (kept,) = (tmp_path / "graphs").glob("identity-*.onnx")
    onnx.load(kept)
