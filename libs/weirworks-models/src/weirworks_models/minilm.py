"""all-MiniLM-L6-v2: a six-layer BERT encoder (Wang et al., "MiniLM", 2020; sentence-transformers' weights)."""

import numpy as np
import onnx
from numpy.typing import NDArray

from weirworks_models.graph import FLOAT, INT64, Graph

Weights = dict[str, NDArray[np.float32]]
_LAYERS, _HEADS, _WIDTH, _EPSILON = 6, 12, 384, 1e-12
_HEAD_WIDTH = _WIDTH // _HEADS


def build_minilm(weights: Weights) -> onnx.ModelProto:
    """`input_ids`, `attention_mask` int64 [batch, tokens] → `last_hidden_state` float32 [batch, tokens, 384]."""
    graph = Graph("all-MiniLM-L6-v2")
    value = _embeddings(graph, weights)
    bias = _mask_bias(graph)
    for number in range(_LAYERS):
        value = _layer(graph, weights, value, bias, number)
    graph.node("Identity", value, output="last_hidden_state")
    tokens = ["batch", "tokens"]
    return graph.model(
        {"input_ids": (INT64, tokens), "attention_mask": (INT64, tokens)},
        {"last_hidden_state": (FLOAT, [*tokens, _WIDTH])},
    )


def _embeddings(graph: Graph, weights: Weights) -> str:
    words = graph.node("Gather", graph.constant(weights["embeddings.word_embeddings.weight"]), "input_ids")
    # All tokens are of segment 0, so its embedding is a part of every position's.
    positions = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    count = graph.node("Gather", graph.node("Shape", "input_ids"), graph.integers(1))
    rows = graph.node("Slice", graph.constant(positions), graph.integers(0), count, graph.integers(0))
    return _norm(graph, weights, graph.node("Add", words, rows), "embeddings.LayerNorm")


def _mask_bias(graph: Graph) -> str:
    """0 for tokens that are there, a large negative number for padding: [batch, 1, 1, tokens]."""
    mask = graph.node("Unsqueeze", graph.node("Cast", "attention_mask", to=FLOAT), graph.integers(1, 2))
    absent = graph.node("Sub", graph.constant(np.float32(1)), mask)
    return graph.node("Mul", absent, graph.constant(np.float32(-10000)))


def _layer(graph: Graph, weights: Weights, value: str, bias: str, number: int) -> str:
    prefix = f"encoder.layer.{number}."
    mixed = _linear(graph, weights, _attention(graph, weights, value, bias, prefix), f"{prefix}attention.output.dense")
    value = _norm(graph, weights, graph.node("Add", mixed, value), f"{prefix}attention.output.LayerNorm")
    inner = graph.node("Gelu", _linear(graph, weights, value, f"{prefix}intermediate.dense"))
    outer = _linear(graph, weights, inner, f"{prefix}output.dense")
    return _norm(graph, weights, graph.node("Add", outer, value), f"{prefix}output.LayerNorm")


def _attention(graph: Graph, weights: Weights, value: str, bias: str, prefix: str) -> str:
    names = [f"{prefix}attention.self.{part}" for part in ("query", "key", "value")]
    # One product for the three projections; the scale of the scores is folded into the query's.
    scales = (_HEAD_WIDTH**-0.5, 1, 1)
    matrix = np.concatenate([weights[f"{name}.weight"].T * scale for name, scale in zip(names, scales, strict=True)], 1)
    offset = np.concatenate([weights[f"{name}.bias"] * scale for name, scale in zip(names, scales, strict=True)])
    product = graph.node("MatMul", value, graph.constant(matrix.astype(np.float32)))
    joined = graph.node("Add", product, graph.constant(offset.astype(np.float32)))
    heads = graph.integers(0, 0, _HEADS, _HEAD_WIDTH)
    query, key, content = (graph.node("Reshape", part, heads) for part in graph.split(joined, 3, axis=2))
    query = graph.node("Transpose", query, perm=[0, 2, 1, 3])
    key = graph.node("Transpose", key, perm=[0, 2, 3, 1])
    content = graph.node("Transpose", content, perm=[0, 2, 1, 3])
    scores = graph.node("Add", graph.node("MatMul", query, key), bias)
    mixed = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), content)
    return graph.node("Reshape", graph.node("Transpose", mixed, perm=[0, 2, 1, 3]), graph.integers(0, 0, _WIDTH))


def _linear(graph: Graph, weights: Weights, value: str, name: str) -> str:
    product = graph.node("MatMul", value, graph.constant(weights[f"{name}.weight"].T))
    return graph.node("Add", product, graph.constant(weights[f"{name}.bias"]))


def _norm(graph: Graph, weights: Weights, value: str, name: str) -> str:
    scale, shift = graph.constant(weights[f"{name}.weight"]), graph.constant(weights[f"{name}.bias"])
    return graph.node("LayerNormalization", value, scale, shift, axis=-1, epsilon=_EPSILON)
