import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from weirworks.inference.v1 import image_pb2, model_pb2, model_service_pb2, text_pb2
from weirworks_inference.app import InferenceApp
from weirworks_inference.settings import InferenceSettings
from weirworks_rpc.oip import messages
from weirworks_testkit.calls import call_bytes, refusal
from weirworks_testkit.pictures import bomb, picture
from weirworks_testkit.running import running
from weirworks_testkit.tiny_models import write_identity, write_repository

OIP = "/inference.GRPCInferenceService"
MODELS = "/weirworks.inference.v1.ModelService"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_repository(tmp_path_factory.mktemp("models"))


@pytest.fixture
async def address(repository: Path, tmp_path: Path) -> AsyncIterator[str]:
    settings = InferenceSettings(models=repository, data_dir=tmp_path, max_image_pixels=1_000_000)
    async with running(InferenceApp(settings, CollectorRegistry())) as where:
        yield where


def infer(model: str, **tensors: np.ndarray) -> messages.ModelInferRequest:
    request = messages.ModelInferRequest(model_name=model, id="42")
    for name, array in tensors.items():
        request.inputs.add(name=name, datatype="FP32", shape=array.shape)
        request.raw_input_contents.append(array.astype(np.float32).tobytes())
    return request


async def classify(address: str, image: bytes, **fields: object) -> image_pb2.ClassifyImageResponse:
    request = image_pb2.ClassifyImageRequest(image=image, **fields)
    return image_pb2.ClassifyImageResponse.FromString(
        await call_bytes(address, f"{MODELS}/ClassifyImage", request.SerializeToString())
    )


async def test_a_tensor_is_inferred_and_the_id_echoed(address: str) -> None:
    request = infer("adder", a=np.array([[1, 2]]), b=np.array([[10, 20]]))
    answer = messages.ModelInferResponse.FromString(
        await call_bytes(address, f"{OIP}/ModelInfer", request.SerializeToString())
    )
    assert answer.id == "42"
    assert answer.outputs[0].name == "sum"
    assert np.frombuffer(answer.raw_output_contents[0], np.float32).tolist() == [11, 22]


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        pytest.param(infer("nothing"), "NOT_FOUND", "MODEL_NOT_FOUND", id="unknown model"),
        pytest.param(messages.ModelInferRequest(), "NOT_FOUND", "MODEL_NOT_FOUND", id="empty"),
        pytest.param(infer("../adder"), "NOT_FOUND", "MODEL_NOT_FOUND", id="path as a name"),
        pytest.param(infer("adder", a=np.ones((1, 2))), "INVALID_ARGUMENT", "INVALID_TENSOR", id="missing input"),
        pytest.param(
            infer("adder", a=np.ones((1, 3)), b=np.ones((1, 3))), "INVALID_ARGUMENT", "INVALID_TENSOR", id="wrong shape"
        ),
        pytest.param(
            infer("adder", a=np.ones((1, 2)), b=np.ones((3, 2))), "INVALID_ARGUMENT", "INVALID_TENSOR", id="rows differ"
        ),
        pytest.param(infer("broken"), "FAILED_PRECONDITION", "MODEL_BROKEN", id="broken model"),
    ],
)
async def test_a_bad_tensor_request_gets_the_right_code(
    address: str, request_: messages.ModelInferRequest, code: str, reason: str
) -> None:
    error = await refusal(address, f"{OIP}/ModelInfer", request_.SerializeToString())
    assert (error.code.name, error.reason_word) == (code, reason)


async def test_a_wrong_datatype_and_a_negative_size_are_named(address: str) -> None:
    request = infer("adder", a=np.ones((1, 2)), b=np.ones((1, 2)))
    request.inputs[0].datatype = "INT32"
    error = await refusal(address, f"{OIP}/ModelInfer", request.SerializeToString())
    assert [violation.field for violation in error.violations] == ["inputs[a].datatype"]
    request.inputs[0].shape[0] = -1
    error = await refusal(address, f"{OIP}/ModelInfer", request.SerializeToString())
    assert error.reason_word == "INVALID_TENSOR"


async def test_values_that_the_model_cannot_take_are_the_callers_error(address: str) -> None:
    request = messages.ModelInferRequest(model_name="minilm")
    for name in ("input_ids", "attention_mask"):
        request.inputs.add(name=name, datatype="INT64", shape=[1, 1])
        request.raw_input_contents.append(np.array([99], np.int64).tobytes())
    error = await refusal(address, f"{OIP}/ModelInfer", request.SerializeToString())
    assert error.reason_word == "INVALID_TENSOR"


async def test_ready_means_resident_or_loadable(address: str) -> None:
    async def ready(name: str) -> bool:
        request = messages.ModelReadyRequest(name=name)
        wire = await call_bytes(address, f"{OIP}/ModelReady", request.SerializeToString())
        return bool(messages.ModelReadyResponse.FromString(wire).ready)

    assert await ready("adder")
    assert not await ready("nothing")
    assert await ready("broken")
    await refusal(address, f"{OIP}/ModelInfer", infer("broken").SerializeToString())
    assert not await ready("broken")


async def test_metadata_tells_the_tensors(address: str) -> None:
    request = messages.ModelMetadataRequest(name="adder")
    wire = await call_bytes(address, f"{OIP}/ModelMetadata", request.SerializeToString())
    metadata = messages.ModelMetadataResponse.FromString(wire)
    assert [(each.name, each.datatype, list(each.shape)) for each in metadata.inputs] == [
        ("a", "FP32", [-1, 2]),
        ("b", "FP32", [-1, 2]),
    ]


async def test_a_model_is_loaded_once_however_many_ask(address: str) -> None:
    wire = infer("identity", x=np.ones((1, 3))).SerializeToString()
    await asyncio.gather(*(call_bytes(address, f"{OIP}/ModelInfer", wire) for _ in range(20)))
    listed = model_service_pb2.ListModelsResponse.FromString(await call_bytes(address, f"{MODELS}/ListModels", b""))
    (identity,) = [model for model in listed.models if model.name == "models/identity/versions/1"]
    assert identity.load_count == 1
    assert identity.inference_count == 20
    assert identity.state == model_pb2.MODEL_STATE_READY


async def test_a_new_version_on_disk_is_found(address: str, repository: Path) -> None:
    write_identity(repository, "identity", "2")
    request = model_service_pb2.ListModelsRequest().SerializeToString()
    listed = model_service_pb2.ListModelsResponse.FromString(await call_bytes(address, f"{MODELS}/ListModels", request))
    assert "models/identity/versions/2" in [model.name for model in listed.models]


async def test_a_picture_is_classified_with_labels_and_stages(address: str) -> None:
    answer = await classify(address, picture("blue"), top_k=2)
    assert [each.label for each in answer.classifications] == ["blue", "red"]
    assert answer.classifications[0].index == 2
    assert 0.99 < answer.classifications[0].probability <= 1
    assert [stage.stage for stage in answer.stages] == ["queue", "decode", "preprocess", "run", "postprocess"]
    assert (await classify(address, picture("blue"), label_language="tr")).classifications[0].label == "mavi"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"image": b""}, "INVALID_IMAGE", id="empty"),
        pytest.param({"image": picture()[:50]}, "INVALID_IMAGE", id="truncated"),
        pytest.param({"image": bomb()}, "INVALID_IMAGE", id="bomb"),
        pytest.param({"image": b"\0" * 10_000_001}, "INVALID_IMAGE", id="oversize"),
        pytest.param({"image": picture(), "top_k": 101}, "INVALID_FIELD", id="too many classes"),
        pytest.param({"image": picture(), "label_language": "de"}, "INVALID_FIELD", id="unknown language"),
        pytest.param({"image": picture(), "model": "none"}, "MODEL_NOT_FOUND", id="unknown model"),
        pytest.param({"image": picture(), "model": "minilm"}, "MODEL_UNSUITABLE", id="text model"),
    ],
)
async def test_a_bad_picture_request_gets_the_right_reason(
    address: str, fields: dict[str, object], reason: str
) -> None:
    request = image_pb2.ClassifyImageRequest(**fields)
    error = await refusal(address, f"{MODELS}/ClassifyImage", request.SerializeToString())
    assert error.reason_word == reason
    assert error.code is not grpc.StatusCode.INTERNAL


async def test_texts_become_unit_vectors_and_truncation_is_told(address: str) -> None:
    request = text_pb2.EmbedTextRequest(texts=["hello world", "Merhaba", "hello " * 20])
    answer = text_pb2.EmbedTextResponse.FromString(
        await call_bytes(address, f"{MODELS}/EmbedText", request.SerializeToString())
    )
    vectors = np.array([each.values for each in answer.embeddings])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(vectors[1], [0, 0, 0, 1])
    assert [each.tokens for each in answer.embeddings] == [2, 1, 8]
    assert [each.truncated for each in answer.embeddings] == [False, False, True]


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param([], id="none"),
        pytest.param([""], id="empty"),
        pytest.param(["x"] * 257, id="too many"),
        pytest.param(["x" * 20_001], id="too long"),
    ],
)
async def test_bad_texts_are_refused(address: str, texts: list[str]) -> None:
    request = text_pb2.EmbedTextRequest(texts=texts)
    error = await refusal(address, f"{MODELS}/EmbedText", request.SerializeToString())
    assert error.reason_word == "INVALID_FIELD"


@pytest.mark.parametrize("method", ["ModelInfer", "ModelReady", "ModelMetadata"])
async def test_bytes_that_are_no_message_are_refused(address: str, method: str) -> None:
    error = await refusal(address, f"{OIP}/{method}", b"\xff\xff")
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_full_line_refuses_with_a_retry_time(repository: Path, tmp_path: Path) -> None:
    settings = InferenceSettings(models=repository, data_dir=tmp_path, queue_limit=2)
    slow = image_pb2.ClassifyImageRequest(image=picture(size=(3000, 3000)))
    method, wire = f"{MODELS}/ClassifyImage", slow.SerializeToString()
    async with running(InferenceApp(settings, CollectorRegistry())) as where:
        await call_bytes(where, method, wire, timeout=60)
        outcomes = await asyncio.gather(
            *(call_bytes(where, method, wire, timeout=60) for _ in range(12)), return_exceptions=True
        )
    refused = [each for each in outcomes if isinstance(each, Exception)]
    assert refused
    assert {getattr(each, "reason_word", each) for each in refused} == {"QUEUE_FULL"}
    assert all(getattr(each, "retry_after", None) is not None for each in refused)
    assert len(refused) < 12
