"""The same answers from a GPU as from the CPU; skipped, loudly, where there is none."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from weirworks_inference.core.types import Card, SessionCard, Task
from weirworks_inference.runtime.onnx import OnnxRuntime
from weirworks_inference.runtime.optimized import OptimizedGraphs
from weirworks_inference.runtime.options import Defaults, placed
from weirworks_inference.runtime.protocol import PROVIDERS, Session, Source

AVAILABLE = onnxruntime.get_available_providers()


def loaded(folder: Path, models: Path, model: str, **session: object) -> Session:
    source = models / model / "1"
    card = Card(Task.TENSOR, 1 << 24, session=SessionCard(**session))  # type: ignore[arg-type]
    runtime = OnnxRuntime(Defaults(threads=1), OptimizedGraphs(folder))
    return runtime.load(Source(source, card, source / "model.onnx", "digest"))


@pytest.mark.gpu
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
@pytest.mark.parametrize("model", ["lite0", "minilm"])
def test_a_gpu_gives_the_cpus_answers(tmp_path: Path, models: Path, provider: str, model: str) -> None:
    if PROVIDERS[provider] not in AVAILABLE:
        pytest.skip(f"NO GPU TESTED: this ONNX Runtime has no {PROVIDERS[provider]}")
    on_cpu = loaded(tmp_path, models, model)
    on_gpu = loaded(tmp_path, models, model, providers=(provider,))
    assert on_gpu.placement.providers[0] == provider
    inputs = {
        spec.name: np.ones([size if isinstance(size, int) else 4 for size in spec.shape], np.dtype(dtype))
        for spec, dtype in zip(on_cpu.signature.inputs, ["float32"] if model == "lite0" else ["int64"] * 2, strict=True)
    }
    names = [spec.name for spec in on_cpu.signature.outputs]
    for expected, answer in zip(on_cpu.run(inputs, names), on_gpu.run(inputs, names), strict=True):
        assert np.allclose(expected, answer, atol=1e-2)


def test_bound_outputs_are_those_of_a_plain_run(tmp_path: Path, models: Path) -> None:
    inputs = {"image": np.random.default_rng(1).standard_normal((2, 3, 224, 224)).astype(np.float32)}
    plain = loaded(tmp_path, models, "lite0").run(inputs, ["logits"])
    bound = loaded(tmp_path, models, "lite0", io_binding=True).run(inputs, ["logits"])
    assert np.allclose(plain[0], bound[0], atol=1e-5)


@pytest.mark.parametrize(
    ("wanted", "available", "used", "missing"),
    [
        pytest.param(("cuda", "cpu"), ["CPUExecutionProvider"], ("cpu",), 1, id="no GPU in the build"),
        pytest.param(("cuda",), ["CUDAExecutionProvider", "CPUExecutionProvider"], ("cuda", "cpu"), 0, id="a GPU"),
        pytest.param((), ["CPUExecutionProvider"], ("cpu",), 0, id="the service's default"),
        pytest.param(
            ("tensorrt", "cuda"),
            ["CUDAExecutionProvider", "CPUExecutionProvider"],
            ("cuda", "cpu"),
            1,
            id="the next in order",
        ),
    ],
)
def test_what_is_missing_is_told_and_the_cpu_comes_last(
    wanted: tuple[str, ...], available: list[str], used: tuple[str, ...], missing: int
) -> None:
    placement = placed(SessionCard(providers=wanted), Defaults(threads=1), available)
    assert placement.providers == used
    assert len(placement.missing) == missing


def test_a_provider_that_is_missing_does_not_stop_a_load(tmp_path: Path, models: Path) -> None:
    session = loaded(tmp_path, models, "minilm", providers=("tensorrt", "cuda"))
    if not {"CUDAExecutionProvider", "TensorrtExecutionProvider"} & set(AVAILABLE):
        assert session.placement.providers == ("cpu",)
        assert [each.partition(":")[0] for each in session.placement.missing] == ["tensorrt", "cuda"]
