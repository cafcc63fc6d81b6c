"""A graph of ResNet-50's shape with weights of chance: for measuring, not for classifying.

He et al., "Deep Residual Learning" (2015): 25.5 million weights, batch normalisation folded away.
"""

import numpy as np
import onnx

from weirworks_models.graph import FLOAT, Graph

# (blocks, inner channels, stride of the first block)
_STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))
_EXPANSION = 4


def build_resnet50(seed: int) -> onnx.ModelProto:
    """`image` float32 [batch, 3, 224, 224] → `logits` float32 [batch, 1000]."""
    graph = Graph("resnet50")
    layers = _Layers(graph, np.random.default_rng(seed))
    value = layers.convolution("image", 3, 64, kernel=7, stride=2)
    value = graph.node("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for blocks, inner, stride in _STAGES:
        for block in range(blocks):
            value = _block(layers, value, channels, inner, stride if block == 0 else 1)
            channels = inner * _EXPANSION
    pooled = graph.node("Flatten", graph.node("GlobalAveragePool", value))
    graph.node("Gemm", pooled, layers.weights(1000, channels), layers.weights(1000), transB=1, output="logits")
    return graph.model({"image": (FLOAT, ["batch", 3, 224, 224])}, {"logits": (FLOAT, ["batch", 1000])})


def _block(layers: "_Layers", value: str, channels: int, inner: int, stride: int) -> str:
    wide = inner * _EXPANSION
    out = layers.convolution(value, channels, inner, kernel=1)
    out = layers.convolution(out, inner, inner, kernel=3, stride=stride)
    out = layers.convolution(out, inner, wide, kernel=1, relu=False)
    if stride != 1 or channels != wide:
        value = layers.convolution(value, channels, wide, kernel=1, stride=stride, relu=False)
    return layers.graph.node("Relu", layers.graph.node("Add", out, value))


class _Layers:
    def __init__(self, graph: Graph, chance: np.random.Generator) -> None:
        self.graph = graph
        self._chance = chance

    def weights(self, *shape: int) -> str:
        """Normal, scaled so that activations keep their size (He et al., 2015)."""
        fan = int(np.prod(shape[1:])) or 1
        values = self._chance.standard_normal(shape) * (2 / fan) ** 0.5
        return self.graph.constant(values.astype(np.float32))

    def convolution(
        self, value: str, channels: int, wide: int, *, kernel: int, stride: int = 1, relu: bool = True
    ) -> str:
        """A convolution that keeps the size, or halves it, and ReLU."""
        edge = kernel // 2
        out = self.graph.node(
            "Conv",
            value,
            self.weights(wide, channels, kernel, kernel),
            self.graph.constant(np.zeros(wide, np.float32)),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[edge] * 4,
        )
        return self.graph.node("Relu", out) if relu else out
