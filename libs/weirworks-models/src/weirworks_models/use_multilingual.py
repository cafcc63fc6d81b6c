"""Universal Sentence Encoder, multilingual v3 (Yang et al., 2019): n-gram convolutions, a sum, and a small network.

Sixteen languages, Turkish and English among them. The weights' package keeps the word vectors in bytes with one
scale for each of 17 interleaved parts; so does the graph, which makes the file a quarter as large.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from weirworks_models.graph import FLOAT, INT64, Graph

Weights = dict[str, NDArray[Any]]
_PARTS, _WIDTH, _BRANCH = 17, 512, 256
# (words of an n-gram, how many of them stand before its place)
_ORDERS = ((2, 0), (3, 1), (5, 2))
_EPSILON_LENGTH = 1e-12


def build_use_multilingual(weights: Weights) -> onnx.ModelProto:
    """`input_ids`, `attention_mask` int64 [batch, tokens] → `embedding` float32 [batch, 512], of unit length."""
    graph = Graph("use-multilingual")
    mask = graph.node("Unsqueeze", graph.node("Cast", "attention_mask", to=FLOAT), graph.integers(2))
    words = _words(graph, weights)
    projection = np.concatenate([weights[f"proj{order}"] for order, _ in _ORDERS], axis=1)
    offset = np.concatenate([weights[f"proj_b{order}"] for order, _ in _ORDERS])
    hidden = _affine(graph, words, projection, offset)
    scale = np.concatenate([weights[f"ln_g{order}"] for order, _ in _ORDERS])
    shift = np.concatenate([weights[f"ln_b{order}"] for order, _ in _ORDERS])
    epsilon = float(weights["eps"])
    branches = graph.split(_norm(graph, hidden, scale, shift, epsilon), len(_ORDERS), axis=2)
    grams = [
        _grams(graph, weights, branch, mask, order, before)
        for branch, (order, before) in zip(branches, _ORDERS, strict=True)
    ]
    features = graph.node("Concat", words, *grams, axis=2)
    features = graph.node("Mul", _norm(graph, features, weights["ln_g"], weights["ln_b"], epsilon), mask)
    total = graph.node("ReduceSum", features, graph.integers(1), keepdims=0)
    count = graph.node("ReduceSum", mask, graph.integers(1), keepdims=0)
    mean = graph.node("MatMul", total, graph.constant(weights["cnn_W"].astype(np.float32)))
    mean = graph.node("Add", mean, graph.node("Mul", count, graph.constant(weights["cnn_b"].astype(np.float32))))
    mean = graph.node("Div", mean, graph.node("Sqrt", count))
    _head(graph, weights, mean)
    tokens = ["batch", "tokens"]
    return graph.model(
        {"input_ids": (INT64, tokens), "attention_mask": (INT64, tokens)},
        {"embedding": (FLOAT, ["batch", _WIDTH])},
    )


def _words(graph: Graph, weights: Weights) -> str:
    """Word vectors out of bytes: part `id mod 17` of the table has a scale and a least value of its own."""
    rows = weights["q1"].shape[0]
    table = np.empty((_PARTS * rows, _WIDTH), np.uint8)
    for part in range(_PARTS):
        table[part::_PARTS] = weights[f"q{part + 1}"]
    chosen = graph.node("Mod", "input_ids", graph.constant(np.array(_PARTS, np.int64)))
    raw = graph.node("Cast", graph.node("Gather", graph.constant(table), "input_ids"), to=FLOAT)
    columns = {name: weights[name].astype(np.float32)[:, None] for name in ("scale", "lo")}
    scaled = graph.node("Mul", raw, graph.node("Gather", graph.constant(columns["scale"]), chosen))
    return graph.node("Add", scaled, graph.node("Gather", graph.constant(columns["lo"]), chosen))


def _grams(graph: Graph, weights: Weights, value: str, mask: str, order: int, before: int) -> str:
    """Two convolutions over n-grams, each added to its input; beyond a text's ends there is nothing."""
    for layer in ("1", "2"):
        inside = graph.node("Mul", value, mask)
        window = _window(graph, inside, order, before)
        added = _affine(graph, window, weights[f"w{layer}_{order}"], weights[f"b{layer}_{order}"])
        value = graph.node("Add", graph.node("Relu", added), value)
    return value


def _window(graph: Graph, value: str, order: int, before: int) -> str:
    """[batch, tokens, width] → [batch, tokens, order × width]: each place with its neighbours."""
    after = order - 1 - before
    wide = graph.node("Pad", value, graph.integers(0, before, 0, 0, after, 0))
    count = graph.node("Slice", graph.node("Shape", value), graph.integers(1), graph.integers(2))
    shifted = [
        graph.node(
            "Slice", wide, graph.integers(place), graph.node("Add", count, graph.integers(place)), graph.integers(1)
        )
        for place in range(order)
    ]
    return graph.node("Concat", *shifted, axis=2)


def _head(graph: Graph, weights: Weights, mean: str) -> None:
    matrix = {name: graph.constant(weights[name].astype(np.float32)) for name in ("d0", "d1", "d2", "d3", "p1", "p3")}
    first = graph.node("Relu", graph.node("MatMul", mean, matrix["d0"]))
    second = graph.node("Add", graph.node("MatMul", mean, matrix["p1"]), graph.node("MatMul", first, matrix["d1"]))
    second = graph.node("Relu", second)
    third = graph.node("Relu", graph.node("MatMul", second, matrix["d2"]))
    last = graph.node("Add", graph.node("MatMul", second, matrix["p3"]), graph.node("MatMul", third, matrix["d3"]))
    vector = graph.node("Tanh", last)
    length = graph.node("ReduceL2", vector, graph.integers(1), keepdims=1)
    least = graph.constant(np.float32(_EPSILON_LENGTH))
    graph.node("Div", vector, graph.node("Max", length, least), output="embedding")


def _affine(graph: Graph, value: str, matrix: NDArray[Any], offset: NDArray[Any]) -> str:
    product = graph.node("MatMul", value, graph.constant(matrix.astype(np.float32)))
    return graph.node("Add", product, graph.constant(offset.astype(np.float32)))


def _norm(graph: Graph, value: str, scale: NDArray[Any], shift: NDArray[Any], epsilon: float) -> str:
    names = (graph.constant(scale.astype(np.float32)), graph.constant(shift.astype(np.float32)))
    return graph.node("LayerNormalization", value, *names, axis=-1, epsilon=epsilon)
