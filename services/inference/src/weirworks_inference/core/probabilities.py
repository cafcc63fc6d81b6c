"""From logits to the best classes."""

import numpy as np
from numpy.typing import NDArray

from weirworks_inference.core.types import Pooling


def top_classes(scores: NDArray[np.float32], count: int, *, are_probabilities: bool = False) -> list[tuple[int, float]]:
    """(index, probability) of the `count` most probable classes of one row, best first; softmax in float64."""
    if are_probabilities:
        probabilities = scores.astype(np.float64)
    else:
        shifted = np.exp(scores.astype(np.float64) - float(scores.max()))
        probabilities = shifted / shifted.sum()
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [(int(index), float(probabilities[index])) for index in order]


def pooled(hidden: NDArray[np.float32], mask: NDArray[np.int64], pooling: Pooling) -> NDArray[np.float32]:
    """Unit vectors [rows, width] from token vectors [rows, tokens, width], or from vectors already [rows, width]."""
    if pooling is Pooling.NONE:
        vectors = hidden
    elif pooling is Pooling.FIRST:
        vectors = hidden[:, 0]
    else:
        weights = mask[:, :, None].astype(np.float32)
        vectors = (hidden * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
