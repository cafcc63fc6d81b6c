"""Part 4 of the demo: a model loads itself, answers warm, leaves when idle; two languages are told apart."""

import asyncio
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from weirworks.inference.v1.model_pb2 import Model, ModelState
from weirworks.inference.v1.model_service_pb2 import GetHealthReportRequest, GetModelRequest
from weirworks.inference.v1.model_service_pb2_grpc import ModelServiceStub
from weirworks_client import WeirClient
from weirworks_rpc import open_channel

# Seconds without use after which this part's suite unloads a model, and how often it looks.
IDLE, CHECK = 4.0, 0.5
_PATIENCE = 30.0
_TEXTS = (
    ("Siparişim ne zaman gelir?", "Kargom hangi gün elime ulaşır?", "Bugün hava çok sıcak."),
    ("When will my order arrive?", "On which day do I get my parcel?", "It is very hot today."),
)


def idle_environment() -> dict[str, str]:
    """Settings of a suite whose models leave soon."""
    return {
        "WEIRWORKS_INFERENCE_IDLE_UNLOAD": f"PT{IDLE:g}S",
        "WEIRWORKS_INFERENCE_IDLE_CHECK": f"PT{CHECK:g}S",
    }


async def show_residency(weir: WeirClient, console: Console) -> dict[str, Any]:
    """Cold and warm calls, the unload between them, and the language of each text; the facts."""
    facts: dict[str, Any] = {"languages": []}
    table = Table("text", "language", "model", "like the first", "cold", "warm", title="Two languages, two models")
    for texts in _TEXTS:
        cold = await _timed(weir, texts[:1])
        warm = [await _timed(weir, [text]) for text in texts]
        vectors = await weir.embed_text(texts, skip_cache=True)
        near = vectors.values @ vectors.values[0]
        for number, text in enumerate(texts):
            cells = (f"{cold * 1e3:.0f} ms" if number == 0 else "", f"{warm[number] * 1e3:.0f} ms")
            table.add_row(text, vectors.languages[number], vectors.model, f"{near[number]:.2f}", *cells)
        facts["languages"].append(
            {
                "language": vectors.languages[0],
                "model": vectors.model,
                "coldSeconds": cold,
                "warmSeconds": float(np.median(warm)),
                "similar": float(near[1]),
                "unlike": float(near[2]),
            }
        )
    console.print(table)
    facts.update(await _show_unload(weir, console))
    return facts


async def _show_unload(weir: WeirClient, console: Console) -> dict[str, Any]:
    """Waits until the models of this part have left, and calls one back."""
    endpoint = next(each.name for each in await weir.list_backends() if each.kind == "inference")
    async with open_channel(endpoint) as channel:
        stub = ModelServiceStub(channel)
        before = (await stub.GetHealthReport(GetHealthReportRequest(), timeout=5)).resident_bytes
        for name in ("models/minilm", "models/use-multilingual"):
            model = await _unloaded(stub, name)
        after = (await stub.GetHealthReport(GetHealthReportRequest(), timeout=5)).resident_bytes
    again = await _timed(weir, _TEXTS[0][:1])
    console.print(
        f"After {IDLE:g} s without a call the models left ({model.reason}): the process went from "
        f"{before >> 20} to {after >> 20} MiB. The next call loaded its model again, in {again * 1e3:.0f} ms."
    )
    return {"unloadReason": model.reason, "loadedBytes": before, "unloadedBytes": after, "againSeconds": again}


async def _unloaded(stub: Any, name: str) -> Model:
    deadline = time.monotonic() + _PATIENCE
    while True:
        model: Model = (await stub.GetModel(GetModelRequest(name=name), timeout=5)).model
        if model.state == ModelState.MODEL_STATE_LOADABLE:
            return model
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} did not leave")
        await asyncio.sleep(CHECK)


async def _timed(weir: WeirClient, texts: Any) -> float:
    started = time.perf_counter()
    await weir.embed_text(texts, skip_cache=True)
    return time.perf_counter() - started
