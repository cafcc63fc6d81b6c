"""One run of the fuzzer: a real inference server, many mutants, and whether it still answers right after."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import numpy as np
from prometheus_client import CollectorRegistry
from weirworks.inference.v1.image_pb2 import ClassifyImageRequest, ClassifyImageResponse
from weirworks_inference.app import InferenceApp
from weirworks_inference.settings import InferenceSettings
from weirworks_rpc import open_channel
from weirworks_rpc.oip import messages
from weirworks_testkit.calls import ask, tensor_request
from weirworks_testkit.pictures import picture
from weirworks_testkit.running import running
from weirworks_testkit.tiny_models import write_identity, write_repository

from tests.fuzz.mutants import Mutant, Mutator

ALLOWED = frozenset(
    {
        "OK",
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "FAILED_PRECONDITION",
        "UNIMPLEMENTED",
        "RESOURCE_EXHAUSTED",
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
    }
)
_AT_ONCE = 32


@dataclass(slots=True)
class Findings:
    """How mutants were answered, how many decoded, and those that were answered otherwise than allowed."""

    codes: Counter[str] = field(default_factory=Counter)
    decoding: int = 0
    bad: list[tuple[Mutant, str]] = field(default_factory=list)
    right_after: bool = False

    @property
    def total(self) -> int:
        """Mutants that were sent."""
        return sum(self.codes.values())


async def fuzz(folder: Path, count: int, seed: int) -> Findings:
    """Sends `count` mutants."""
    models = write_repository(folder / "models")
    write_identity(models, "batched")
    (models / "batched" / "1" / "card.toml").write_text('task = "tensor"\n[batch]\nrows = 8\n')
    settings = InferenceSettings(models=models, data_dir=folder / "data", log_level="ERROR", max_image_pixels=1_000_000)
    findings = Findings()
    mutator = Mutator(seed, _requests(), _pictures())
    async with running(InferenceApp(settings, CollectorRegistry())) as where:
        async with open_channel(where) as channel, asyncio.TaskGroup() as group:
            left = [count]
            for _ in range(_AT_ONCE):
                group.create_task(_worker(channel, mutator, left, findings))
        findings.right_after = await _is_right(where)
    return findings


async def _worker(channel: grpc.aio.Channel, mutator: Mutator, left: list[int], findings: Findings) -> None:
    while left[0] > 0:
        left[0] -= 1
        mutant = mutator.next()
        findings.decoding += mutant.decodes
        try:
            await channel.unary_unary(mutant.method)(mutant.wire, timeout=30)
            code, text = "OK", ""
        except grpc.aio.AioRpcError as error:
            code, text = error.code().name, error.details() or ""
        findings.codes[code] += 1
        if code not in ALLOWED:
            findings.bad.append((mutant, f"{code}: {text}"))


async def _is_right(address: str) -> bool:
    values = np.array([[1, 2, 3]], np.float32)
    tensors: messages.ModelInferResponse = await ask(
        address,
        "/inference.GRPCInferenceService/ModelInfer",
        tensor_request("identity", x=values),
        messages.ModelInferResponse,
    )
    image: ClassifyImageResponse = await ask(
        address,
        "/weirworks.inference.v1.ModelService/ClassifyImage",
        ClassifyImageRequest(image=picture("blue")),
        ClassifyImageResponse,
    )
    return tensors.raw_output_contents[0] == values.tobytes() and image.classifications[0].label == "blue"


def _requests() -> list[messages.ModelInferRequest]:
    tokens = np.array([[1, 2, 3]], np.int64)
    strings = messages.ModelInferRequest(model_name="strings", raw_input_contents=[b"\x02\0\0\0hi"])
    strings.inputs.add(name="x", datatype="BYTES", shape=[1, 1])
    return [
        tensor_request("identity", x=np.ones((2, 3), np.float32)),
        tensor_request("batched", x=np.ones((1, 3), np.float32)),
        tensor_request("adder", a=np.ones((1, 2), np.float32), b=np.ones((1, 2), np.float32)),
        tensor_request("lite0", image=np.ones((1, 3, 8, 8), np.float32)),
        tensor_request("minilm", "INT64", input_ids=tokens, attention_mask=np.ones_like(tokens)),
        strings,
    ]


def _pictures() -> list[bytes]:
    return [picture("red", (64, 48), kind) for kind in ("JPEG", "PNG", "TIFF", "WEBP", "GIF")]
