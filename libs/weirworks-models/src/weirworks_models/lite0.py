"""EfficientNet-Lite0 with ImageNet weights: Tan and Le, "EfficientNet" (2019), Lite variant of 2020.

Lite means no squeeze-and-excitation and ReLU6 for swish. Batch normalisation is folded into the
convolutions; padding is TensorFlow's SAME, as the weights were trained.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from weirworks_models.graph import FLOAT, Graph

Weights = dict[str, NDArray[Any]]
_BN_EPSILON = 1e-3


@dataclass(frozen=True, slots=True)
class _Stage:
    """A row of the architecture's table."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def build_lite0(weights: Weights) -> onnx.ModelProto:
    """`image` float32 [batch, 3, 224, 224], RGB `(x - 127) / 128` → `logits` float32 [batch, 1000]."""
    graph = Graph("efficientnet-lite0")
    layers = _Layers(graph, weights)
    value = layers.convolution("image", "_conv_stem", "_bn0", stride=2)
    for number, (stage, stride, channels_in) in enumerate(_blocks()):
        value = _block(layers, value, f"_blocks.{number}.", stage, stride, channels_in)
    value = layers.convolution(value, "_conv_head", "_bn1")
    pooled = graph.node("Flatten", graph.node("GlobalAveragePool", value))
    matrix = graph.constant(weights["_fc.weight"])
    graph.node("Gemm", pooled, matrix, graph.constant(weights["_fc.bias"]), transB=1, output="logits")
    return graph.model(
        {"image": (FLOAT, ["batch", 3, 224, 224])},
        {"logits": (FLOAT, ["batch", 1000])},
    )


def _blocks() -> Iterator[tuple[_Stage, int, int]]:
    channels = 32
    for stage in _STAGES:
        for repeat in range(stage.repeats):
            yield stage, stage.stride if repeat == 0 else 1, channels
            channels = stage.channels


def _block(layers: "_Layers", value: str, prefix: str, stage: _Stage, stride: int, channels_in: int) -> str:
    """Inverted residual: expand, filter each channel, project; added to its input where shapes agree."""
    start = value
    if stage.expansion != 1:
        value = layers.convolution(value, f"{prefix}_expand_conv", f"{prefix}_bn0")
    groups = channels_in * stage.expansion
    value = layers.convolution(value, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride=stride, groups=groups)
    value = layers.convolution(value, f"{prefix}_project_conv", f"{prefix}_bn2", relu=False)
    if stride == 1 and channels_in == stage.channels:
        value = layers.graph.node("Add", value, start)
    return value


class _Layers:
    def __init__(self, graph: Graph, weights: Weights) -> None:
        self.graph = graph
        self._weights = weights
        self._zero = graph.constant(np.float32(0), "relu6_low")
        self._six = graph.constant(np.float32(6), "relu6_high")

    def convolution(
        self, value: str, conv: str, norm: str, *, stride: int = 1, groups: int = 1, relu: bool = True
    ) -> str:
        """Convolution with its batch normalisation folded in, and ReLU6."""
        weight = self._weights[f"{conv}.weight"]
        variance = self._weights[f"{norm}.running_var"]
        factor = self._weights[f"{norm}.weight"] / np.sqrt(variance + _BN_EPSILON)
        bias = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * factor
        folded = weight * factor[:, None, None, None]
        out = self.graph.node(
            "Conv",
            value,
            self.graph.constant(folded.astype(np.float32)),
            self.graph.constant(bias.astype(np.float32)),
            kernel_shape=list(weight.shape[2:]),
            strides=[stride, stride],
            group=groups,
            auto_pad="SAME_UPPER",
        )
        return self.graph.node("Clip", out, self._zero, self._six) if relu else out
