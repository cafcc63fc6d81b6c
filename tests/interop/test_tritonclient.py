"""tritonclient, in a process of its own, against the router and against inference."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Up, weir_up

PROGRAM = """
import asyncio, queue, sys
import numpy as np
import tritonclient.grpc as blocking
import tritonclient.grpc.aio as triton
from tritonclient.utils import InferenceServerException

def tokens(module):
    inputs = []
    for name, values in (("input_ids", [[101, 7592, 102]]), ("attention_mask", [[1, 1, 1]])):
        tensor = module.InferInput(name, [1, 3], "INT64")
        tensor.set_data_from_numpy(np.array(values, np.int64))
        inputs.append(tensor)
    return inputs

async def main(address):
    client = triton.InferenceServerClient(address)
    assert await client.is_server_live() and await client.is_server_ready()
    assert await client.is_model_ready("minilm") and not await client.is_model_ready("nothing")
    metadata = await client.get_model_metadata("minilm")
    assert [each.name for each in metadata.inputs] == ["input_ids", "attention_mask"], metadata
    config = (await client.get_model_config("minilm", as_json=True))["config"]
    assert config["max_batch_size"] == 32, config
    answer = await client.infer("minilm", tokens(triton), request_id="mine", priority=1, timeout=5_000_000)
    assert answer.as_numpy("last_hidden_state").shape == (1, 3, 384)
    assert answer.get_response().id == "mine"
    try:
        await client.infer("nothing", tokens(triton))
    except InferenceServerException as error:
        assert "NOT_FOUND" in error.status(), error.status()
    else:
        raise AssertionError("an unknown model answered")

    async def requests():
        for number in range(5):
            model = "minilm" if number != 3 else "nothing"
            yield {"model_name": model, "inputs": tokens(triton), "request_id": str(number)}

    answers = client.stream_infer(requests())
    got = [(result.get_response().id if result else None, error) async for result, error in answers]
    assert [name for name, error in got if error is None] == ["0", "1", "2", "4"], got
    assert sum(error is not None for _, error in got) == 1, got
    await client.close()

def main_blocking(address):
    client = blocking.InferenceServerClient(address)
    tensor = blocking.InferInput("image", [2, 3, 224, 224], "FP32")
    tensor.set_data_from_numpy(np.zeros((2, 3, 224, 224), np.float32))
    answer = client.infer("lite0", [tensor], outputs=[blocking.InferRequestedOutput("logits")])
    assert answer.as_numpy("logits").shape == (2, 1000)
    answer = client.infer("lite0", [tensor], outputs=[blocking.InferRequestedOutput("logits", class_count=3)])
    ranked = answer.as_numpy("logits")
    assert ranked.shape == (2, 3) and ranked[0, 0].decode().count(":") == 2, ranked
    got = queue.Queue()
    client.async_infer("minilm", tokens(blocking), callback=lambda result, error: got.put((result, error)))
    result, error = got.get(timeout=30)
    assert error is None and result.as_numpy("last_hidden_state") is not None
    client.start_stream(callback=lambda result, error: got.put((result, error)))
    client.async_stream_infer("minilm", tokens(blocking), request_id="s", enable_empty_final_response=True)
    result, error = got.get(timeout=30)
    assert error is None and result.get_response().id == "s", error
    client.stop_stream()
    client.close()

def control(address):
    # What its own examples of model control, statistics and settings call.
    client = blocking.InferenceServerClient(address)
    assert "statistics" in client.get_server_metadata().extensions
    assert {model.name for model in client.get_model_repository_index().models} >= {"lite0", "minilm"}
    client.load_model("lite0")
    assert client.is_model_ready("lite0")
    client.unload_model("lite0")
    assert not client.is_model_ready("lite0")
    client.load_model("lite0")
    assert client.is_model_ready("lite0")
    (statistics,) = client.get_inference_statistics("minilm").model_stats
    assert statistics.inference_count >= 1 and statistics.inference_stats.success.count >= 1
    assert client.get_log_settings(as_json=True)["settings"]["log_info"]
    assert client.update_log_settings({"log_verbose_level": 1}, as_json=True)
    client.update_log_settings({"log_verbose_level": 0})
    assert client.get_trace_settings(as_json=True)["settings"]["trace_mode"]
    for call in (client.get_system_shared_memory_status, client.get_cuda_shared_memory_status):
        try:
            call()
        except InferenceServerException as error:
            assert "UNIMPLEMENTED" in error.status(), error.status()
        else:
            raise AssertionError("shared memory answered")
    client.close()

asyncio.run(main(sys.argv[1]))
main_blocking(sys.argv[1])
if sys.argv[2] == "inference":
    control(sys.argv[1])
print("interoperates")
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Up]:
    with weir_up(tmp_path_factory.mktemp("suite"), "interop") as running:
        yield running


@pytest.mark.parametrize("service", ["router", "inference"])
def test_tritonclient_works_unchanged(up: Up, service: str) -> None:
    address = up.context.address("router")
    if service == "inference":
        address = up.weir("check").stdout.split("inference")[1].split()[0]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, address, service], capture_output=True, text=True, check=False, timeout=90
    )
    assert done.stdout.strip() == "interoperates", done.stderr[-2000:]
