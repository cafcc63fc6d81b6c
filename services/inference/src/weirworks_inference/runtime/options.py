"""ONNX Runtime's options of one model: what its card says, then what the service's settings say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weirworks_inference.core.types import SessionCard
from weirworks_inference.runtime.protocol import PROVIDERS, Placement

if TYPE_CHECKING:
    import onnxruntime


@dataclass(frozen=True, slots=True)
class Defaults:
    """What models without a word of their own get. `device_bytes` bounds each model's arena on a GPU."""

    threads: int
    providers: tuple[str, ...] = ("cpu",)
    device_bytes: int = 0


def placed(card: SessionCard, defaults: Defaults, available: Sequence[str]) -> Placement:
    """The providers to use, in order; the CPU is always the last resort and is said to be."""
    wanted = card.providers or defaults.providers
    usable = tuple(name for name in wanted if PROVIDERS[name] in available)
    missing = tuple(f"{name}: not in this build of ONNX Runtime" for name in wanted if name not in usable)
    return Placement(usable if "cpu" in usable else (*usable, "cpu"), missing)


def provider_options(placement: Placement, defaults: Defaults, cache: str) -> list[tuple[str, dict[str, Any]]]:
    """Name and options of each provider as ONNX Runtime takes them."""
    limit = {"gpu_mem_limit": str(defaults.device_bytes)} if defaults.device_bytes else {}
    options: dict[str, dict[str, Any]] = {
        "cpu": {},
        # The default doubles the arena at each growth and so reserves what nobody asked for.
        "cuda": {"arena_extend_strategy": "kSameAsRequested", **limit},
        "tensorrt": {"trt_engine_cache_enable": "1", "trt_engine_cache_path": cache, "trt_fp16_enable": "0"},
    }
    return [(PROVIDERS[name], options[name]) for name in placement.providers]


def session_options(card: SessionCard, defaults: Defaults, *, optimized: bool) -> onnxruntime.SessionOptions:
    """Options of a session; `optimized` says that the graph needs no more of it."""
    # Not before the first load: a start would take a tenth longer.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = card.threads or defaults.threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait would eat the CPU limit of an idle replica.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_DISABLE_ALL if optimized else levels.ORT_ENABLE_ALL
    return options
