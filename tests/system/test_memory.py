"""Memory that models held goes back to the system, cycle after cycle, with the service's own malloc settings."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from weirworks.inference.v1.model_service_pb2 import UnloadModelRequest, UnloadModelResponse
from weirworks_rpc.oip import messages
from weirworks_testkit.calls import ask, tensor_request

CYCLES = 50
MIB = 1 << 20


@contextmanager
def served(folder: Path, models: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The service as `weir run` and the image start it."""
    environment = {
        **os.environ,
        "WEIRWORKS_INFERENCE_MODELS": str(models),
        "WEIRWORKS_INFERENCE_DATA_DIR": str(folder),
        "WEIRWORKS_INFERENCE_LOG_LEVEL": "WARNING",
        "WEIRWORKS_INFERENCE_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "weirworks_inference.main"], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[1], psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


async def cycle(address: str, process: psutil.Process) -> tuple[int, int]:
    """Resident bytes with MiniLM in memory after a large request, and after it was unloaded."""
    ids = np.full((32, 128), 2000, np.int64)
    request = tensor_request("minilm", "INT64", input_ids=ids, attention_mask=np.ones_like(ids))
    await ask(address, "/inference.GRPCInferenceService/ModelInfer", request, messages.ModelInferResponse)
    loaded = process.memory_info().rss
    unload = UnloadModelRequest(name="models/minilm")
    await ask(address, "/weirworks.inference.v1.ModelService/UnloadModel", unload, UnloadModelResponse)
    return loaded, process.memory_info().rss


@pytest.mark.timeout(600)
def test_memory_is_given_back_over_fifty_cycles(tmp_path: Path, models: Path) -> None:
    with served(tmp_path, models) as (address, process):
        start = process.memory_info().rss
        figures = [asyncio.run(cycle(address, process)) for _ in range(CYCLES)]
    (tmp_path / "figures.json").write_text(json.dumps({"start": start, "cycles": figures}))
    unloaded = [after for _, after in figures]
    held = figures[1][0] - start
    print(f"start {start / MIB:.0f} MiB, loaded {figures[1][0] / MIB:.0f}, unloaded {unloaded[1] / MIB:.0f}, ", end="")
    print(f"after {CYCLES} cycles {unloaded[-1] / MIB:.0f}")
    # ONNX Runtime itself stays: its library and what it sets up once.
    assert figures[1][0] - unloaded[1] > 0.6 * held
    assert unloaded[-1] - unloaded[4] < 0.1 * held
