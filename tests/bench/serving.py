"""Serving beside bare onnxruntime: the share of a bare run's CPU time that a served request costs.

The server's whole process tree is counted, on a core of its own where there are two; bare runs happen on that very
core between the rounds. Every answer is compared with the bare library's on the same files and threads. A peer that
speaks the same protocol can be measured in the same rounds.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnxruntime
import psutil
from numpy.typing import NDArray
from weirworks_models.resnet import build_resnet50
from weirworks_rpc import open_channel
from weirworks_rpc.oip import messages

from tests.bench.server import started

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Case:
    """A model at a concurrency, beside bare runs of so many rows."""

    model: str
    concurrency: int
    bare_rows: int
    requests: int

    @property
    def name(self) -> str:
        """`minilm.c64`."""
        return f"{self.model}.c{self.concurrency}"


CASES = (
    Case("minilm", 1, 1, 100),
    Case("minilm", 8, 8, 240),
    Case("minilm", 64, 8, 512),
    Case("lite0", 8, 1, 80),
    Case("resnet50", 8, 1, 24),
)


@dataclass(frozen=True, slots=True)
class Target:
    """A server: its name in the report, where it listens and the root of its process tree."""

    name: str
    address: str
    pid: int


@dataclass(slots=True)
class Figures:
    """CPU microseconds per request by round, of the bare library and of one server."""

    bare: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)

    @property
    def share_of_bare(self) -> float:
        """Of a bare run's requests per CPU second, how many the server answers: the median of the rounds' shares."""
        return statistics.median(bare / served for bare, served in zip(self.bare, self.served, strict=True))


class Bare:
    """The library alone, one thread."""

    def __init__(self, models: Path) -> None:
        self._models = models
        self._sessions: dict[str, Any] = {}

    def run(self, model: str, inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs."""
        if model not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            path = self._models / model / "1" / "model.onnx"
            self._sessions[model] = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return list(self._sessions[model].run(None, inputs))

    def seconds(self, model: str, rows: int, runs: int) -> float:
        """CPU seconds per row."""
        inputs = {name: np.repeat(array, rows, axis=0) for name, array in sample(model, 0).items()}
        self.run(model, inputs)
        begin = time.thread_time()
        for _ in range(runs):
            self.run(model, inputs)
        return (time.thread_time() - begin) / runs / rows


async def measure(root: Path, rounds: int, peers: Sequence[Target], models: Sequence[str] = ()) -> dict[str, Any]:
    """Case → figures; what else is told of the server: start, idle, memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repository = _repository(root, folder)
        bare = Bare(repository)
        async with AsyncExitStack() as stack:
            environment = {"WEIRWORKS_INFERENCE_MODELS": str(repository), "WEIRWORKS_INFERENCE_THREADS": "1"}
            own = await stack.enter_async_context(started("inference", folder, environment, core=0))
            start = cpu(own.pid)
            targets = [Target("weirworks", own.address, own.pid), *peers]
            figures: dict[str, dict[str, Figures]] = {}
            # The client keeps off the server's core.
            os.sched_setaffinity(0, {1} if (os.cpu_count() or 1) > 1 else {0})
            for case in (case for case in CASES if not models or case.model in models):
                figures[case.name] = {target.name: Figures() for target in targets}
                for target in targets:
                    async with open_channel(target.address) as channel:
                        await _compare(channel, bare, case)
                        for number in range(rounds + 1):
                            with _on_core(0):
                                rate = bare.seconds(case.model, case.bare_rows, max(2, 160 // case.bare_rows // 8))
                            seconds = await _served(channel, case, target.pid)
                            # The first round warms everything up.
                            if number:
                                figures[case.name][target.name].bare.append(rate * 1e6)
                                figures[case.name][target.name].served.append(seconds * 1e6)
            memory = psutil.Process(own.pid).memory_info().rss
            idle = await _idle(own.pid)
        return _report(figures, {"start_cpu_seconds": start, "idle_share_of_core": idle, "rss_bytes": memory})


def sample(model: str, tag: int) -> dict[str, NDArray[Any]]:
    """One request's inputs; another for another tag."""
    chance = np.random.default_rng(tag)
    if model == "minilm":
        ids = chance.integers(1000, 20000, (1, _TOKENS)).astype(np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    return {"image": chance.standard_normal((1, 3, 224, 224)).astype(np.float32)}


def cpu(pid: int) -> float:
    """CPU seconds of a process and its children so far, to the nanosecond."""
    total = 0
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        for thread in Path(f"/proc/{each.pid}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def _repository(root: Path, folder: Path) -> Path:
    """The built models, and one of ResNet-50's size."""
    repository = folder / "models"
    for model in ("minilm", "lite0"):
        (repository / model).mkdir(parents=True)
        (repository / model / "1").symlink_to(root / "models" / model / "1")
    target = repository / "resnet50" / "1"
    target.mkdir(parents=True)
    (target / "model.onnx").write_bytes(build_resnet50(seed=1).SerializeToString())
    return repository


async def _compare(channel: grpc.aio.Channel, bare: Bare, case: Case) -> None:
    """Fails when one of many answers, asked for side by side, is not the bare library's."""
    inputs = [sample(case.model, tag) for tag in range(case.concurrency)]
    answers = await asyncio.gather(*(_ask(channel, case.model, each) for each in inputs))
    for each, wire in zip(inputs, answers, strict=True):
        response = messages.ModelInferResponse.FromString(wire)
        (expected,) = bare.run(case.model, each)
        values = np.frombuffer(response.raw_output_contents[0], np.float32).reshape(expected.shape)
        assert np.allclose(values, expected, atol=1e-4), f"{case.name}: another answer than the bare library's"


async def _served(channel: grpc.aio.Channel, case: Case, pid: int) -> float:
    """CPU seconds per request of the server's process tree."""
    wires = [_wire(case.model, sample(case.model, tag)) for tag in range(8)]
    left = [case.requests]

    async def caller() -> None:
        while left[0] > 0:
            left[0] -= 1
            await _call(channel)(wires[left[0] % len(wires)], timeout=120)

    before = cpu(pid)
    await asyncio.gather(*(caller() for _ in range(case.concurrency)))
    return (cpu(pid) - before) / case.requests


async def _ask(channel: grpc.aio.Channel, model: str, inputs: dict[str, NDArray[Any]]) -> bytes:
    answer: bytes = await _call(channel)(_wire(model, inputs), timeout=120)
    return answer


def _call(channel: grpc.aio.Channel) -> Callable[..., Any]:
    call: Callable[..., Any] = channel.unary_unary(METHOD)
    return call


def _wire(model: str, inputs: dict[str, NDArray[Any]]) -> bytes:
    request = messages.ModelInferRequest(model_name=model)
    for name, array in inputs.items():
        datatype = "INT64" if array.dtype == np.int64 else "FP32"
        request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        request.raw_input_contents.append(array.tobytes())
    return bytes(request.SerializeToString())


async def _idle(pid: int, seconds: float = 5.0) -> float:
    """Share of a core that the server takes when nobody calls."""
    before = cpu(pid)
    await asyncio.sleep(seconds)
    return (cpu(pid) - before) / seconds


@contextmanager
def _on_core(number: int) -> Any:
    """This thread on the server's core, which idles meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _report(figures: dict[str, dict[str, Figures]], server: dict[str, float]) -> dict[str, Any]:
    report: dict[str, Any] = {"server": server}
    for name, targets in figures.items():
        own = targets["weirworks"]
        entry: dict[str, Any] = {
            "share_of_bare": round(own.share_of_bare, 4),
            "bare_us": round(statistics.median(own.bare)),
            "served_us": round(statistics.median(own.served)),
            "rounds": [round(bare / served, 4) for bare, served in zip(own.bare, own.served, strict=True)],
        }
        for target, other in targets.items():
            if target != "weirworks":
                entry[target] = {
                    "share_of_bare": round(other.share_of_bare, 4),
                    "served_us": round(statistics.median(other.served)),
                }
        # By its name, and by the same name as a path, for readers of either kind.
        report[name] = entry
        model, _, concurrency = name.partition(".")
        report.setdefault(model, {})[concurrency] = entry
    return report
