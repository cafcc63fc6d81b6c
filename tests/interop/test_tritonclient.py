"""tritonclient, in a process of its own, against the router and against inference."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Up, weir_up

PROGRAM = """
import asyncio, sys
import numpy as np
import tritonclient.grpc as blocking
import tritonclient.grpc.aio as triton
from tritonclient.utils import InferenceServerException

async def main(address):
    client = triton.InferenceServerClient(address)
    assert await client.is_server_live() and await client.is_server_ready()
    assert await client.is_model_ready("minilm") and not await client.is_model_ready("nothing")
    metadata = await client.get_model_metadata("minilm")
    assert [each.name for each in metadata.inputs] == ["input_ids", "attention_mask"], metadata
    inputs = []
    for name, values in (("input_ids", [[101, 7592, 102]]), ("attention_mask", [[1, 1, 1]])):
        tensor = triton.InferInput(name, [1, 3], "INT64")
        tensor.set_data_from_numpy(np.array(values, np.int64))
        inputs.append(tensor)
    answer = await client.infer("minilm", inputs, request_id="mine")
    assert answer.as_numpy("last_hidden_state").shape == (1, 3, 384)
    assert answer.get_response().id == "mine"
    try:
        await client.infer("nothing", inputs)
    except InferenceServerException as error:
        assert "NOT_FOUND" in error.status(), error.status()
    else:
        raise AssertionError("an unknown model answered")
    await client.close()

def main_blocking(address):
    client = blocking.InferenceServerClient(address)
    tensor = blocking.InferInput("image", [2, 3, 224, 224], "FP32")
    tensor.set_data_from_numpy(np.zeros((2, 3, 224, 224), np.float32))
    answer = client.infer("lite0", [tensor], outputs=[blocking.InferRequestedOutput("logits")])
    assert answer.as_numpy("logits").shape == (2, 1000)
    client.close()

asyncio.run(main(sys.argv[1]))
main_blocking(sys.argv[1])
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
        [sys.executable, "-c", PROGRAM, address], capture_output=True, text=True, check=False, timeout=90
    )
    assert done.stdout.strip() == "interoperates", done.stderr[-2000:]
