"""From logits to the best classes."""

import numpy as np
from numpy.typing import NDArray


def top_classes(logits: NDArray[np.float32], count: int) -> list[tuple[int, float]]:
    """(index, probability) of the `count` most probable classes of one row, best first; softmax in float64."""
    shifted = np.exp(logits.astype(np.float64) - float(logits.max()))
    probabilities = shifted / shifted.sum()
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [(int(index), float(probabilities[index])) for index in order]


def mean_pooled(hidden: NDArray[np.float32], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    """Unit vectors [rows, width] from token vectors [rows, tokens, width]: the mean over tokens that are there."""
    weights = mask[:, :, None].astype(np.float32)
    mean = (hidden * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
    lengths = np.linalg.norm(mean, axis=1, keepdims=True)
    return np.asarray(mean / np.maximum(lengths, 1e-12), dtype=np.float32)
