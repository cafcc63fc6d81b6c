"""Pictures and texts, decoding and tokenising included, and the router's hop; beside the same work bare.

Rounds of every way are interleaved, answers are compared with the bare library's, and the servers run in
processes of their own.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from weirworks.inference.v1.image_pb2 import ClassifyImageRequest, ClassifyImageResponse
from weirworks.inference.v1.model_service_pb2_grpc import ModelServiceStub
from weirworks.inference.v1.text_pb2 import EmbedTextRequest
from weirworks_client import WeirClient
from weirworks_rpc import open_channel

from tests.bench.bare import Bare
from tests.bench.server import Server, started

Plain = Callable[[], object]
Remote = Callable[[], Awaitable[object]]
ROOT = Path(__file__).parent.parent.parent


@dataclass(slots=True)
class Row:
    """One way of one operation: CPU milliseconds per request by round."""

    operation: str
    way: str
    samples: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Over the rounds."""
        return statistics.median(self.samples)


async def measure_calls(rounds: int, requests: int) -> list[Row]:
    """Every way of every operation, interleaved."""
    rows: dict[tuple[str, str], Row] = {}

    def note(operation: str, way: str, seconds: float) -> None:
        rows.setdefault((operation, way), Row(operation, way)).samples.append(seconds * 1e3 / requests)

    bare = Bare(ROOT / "models")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = {
            "WEIRWORKS_INFERENCE_MODELS": str(ROOT / "models"),
            "WEIRWORKS_INFERENCE_PRELOAD": '["lite0"]',
            "WEIRWORKS_INFERENCE_THREADS": "1",
            # The same text again and again would be remembered.
            "WEIRWORKS_INFERENCE_EMBEDDINGS": "0",
        }
        inference = await stack.enter_async_context(started("inference", folder, environment))
        routed = {"WEIRWORKS_ROUTER_INFERENCE": json.dumps([inference.address])}
        router = await stack.enter_async_context(started("router", folder, routed))
        channel = await stack.enter_async_context(open_channel(inference.address))
        models = ModelServiceStub(channel)
        weir = await stack.enter_async_context(WeirClient(router.address))
        calls: dict[str, tuple[Callable[[], object], Remote, Remote]] = {
            "classify": (
                lambda: bare.classify(bare.photo),
                lambda: models.ClassifyImage(ClassifyImageRequest(image=bare.photo, top_k=5)),
                lambda: weir.classify_image(bare.photo, skip_cache=True),
            ),
            "embed": (
                lambda: bare.embed(bare.text),
                lambda: models.EmbedText(EmbedTextRequest(texts=[bare.text])),
                lambda: weir.embed_text([bare.text], skip_cache=True),
            ),
        }
        await compare(bare, calls["classify"][1], calls["embed"][1])
        for number in range(rounds + 1):
            for operation, (plain, direct, through) in calls.items():
                begin = time.process_time()
                for _ in range(requests):
                    plain()
                plain_seconds = time.process_time() - begin
                for concurrency in (1, 8):
                    direct_seconds = await spent([inference], direct, requests, concurrency)
                    hop = await spent([router], through, requests, concurrency)
                    # The first round warms everything up.
                    if number:
                        note(operation, f"inference, {concurrency} at once", direct_seconds)
                        note(operation, f"router hop alone, {concurrency} at once", hop)
                if number:
                    note(operation, "bare onnxruntime", plain_seconds)
    return list(rows.values())


async def compare(bare: Bare, classify: Remote, embed: Remote) -> None:
    """Fails when a server answers otherwise than the bare library."""
    classes: ClassifyImageResponse = await classify()  # type: ignore[assignment]
    ours = [(each.index, each.probability) for each in classes.classifications]
    theirs = bare.classify(bare.photo)
    assert [index for index, _ in ours] == [index for index, _ in theirs]
    assert np.allclose([p for _, p in ours], [p for _, p in theirs], atol=1e-5)
    vectors = (await embed()).embeddings  # type: ignore[attr-defined]
    assert np.allclose(vectors[0].values, bare.embed(bare.text), atol=1e-5)


async def spent(servers: list[Server], call: Remote, requests: int, concurrency: int) -> float:
    """CPU seconds of the servers' processes for so many requests."""
    gate = asyncio.Semaphore(concurrency)

    async def one() -> None:
        async with gate:
            await call()

    before = sum(cpu(server.pid) for server in servers)
    await asyncio.gather(*(one() for _ in range(requests)))
    return sum(cpu(server.pid) for server in servers) - before


def cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
