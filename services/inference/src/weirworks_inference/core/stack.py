"""Makes one run of several requests and takes it apart again, so that no answer holds a neighbour's row.

A model can share runs when the first dimension of every input and output has one name: the rows. Named
dimensions of inputs that the card says how to fill are padded to the longest of the batch; outputs are cut
back to what their request asked for.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weirworks_inference.core.batch import length_bucket
from weirworks_inference.core.types import BatchCard, Signature, TensorSpec

Array = NDArray[Any]
Tensors = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Stacking:
    """How requests to one model share runs; `elastic` are the names of dimensions that may be padded."""

    signature: Signature
    rows: str
    elastic: frozenset[str]
    fill: Mapping[str, float]

    def group(self, shapes: Mapping[str, tuple[int, ...]]) -> Hashable:
        """Requests of one group may share a run."""
        return tuple(self._grouped(spec, shapes[spec.name]) for spec in self.signature.inputs)

    def _grouped(self, spec: TensorSpec, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(
            length_bucket(size) if dimension in self.elastic else size
            for dimension, size in zip(spec.shape[1:], shape[1:], strict=True)
        )


def stacking_of(signature: Signature, card: BatchCard) -> Stacking | None:
    """How the model's requests share runs; None when they cannot."""
    specs = [*signature.inputs, *signature.outputs]
    first = {spec.shape[0] if spec.shape else 0 for spec in specs}
    if len(first) != 1 or not signature.inputs:
        return None
    rows = first.pop()
    # A name with a dot was made up by the runtime for a dimension that has none: it says nothing.
    if not isinstance(rows, str) or "." in rows:
        return None
    named = [
        {dimension for dimension in spec.shape[1:] if isinstance(dimension, str)} - {rows} for spec in signature.inputs
    ]
    filled = [names for spec, names in zip(signature.inputs, named, strict=True) if spec.name in card.pad]
    exact = [names for spec, names in zip(signature.inputs, named, strict=True) if spec.name not in card.pad]
    elastic = frozenset().union(*filled) - frozenset().union(*exact)
    return Stacking(signature, rows, frozenset(elastic), card.pad)


def stack(how: Stacking, requests: Sequence[Tensors]) -> dict[str, Array]:
    """The inputs of one run, the requests' rows after each other."""
    if len(requests) == 1:
        return dict(requests[0])
    specs = how.signature.inputs
    return {spec.name: _joined(how, spec, [request[spec.name] for request in requests]) for spec in specs}


def unstack(
    how: Stacking, requests: Sequence[Tensors], names: Sequence[str], outputs: Sequence[Array]
) -> list[list[Array]]:
    """The outputs of each request, in the order of the requests; views, no copies."""
    if len(requests) == 1:
        return [list(outputs)]
    specs = {spec.name: spec for spec in how.signature.outputs}
    answers: list[list[Array]] = []
    start = 0
    for request in requests:
        sizes = _sizes(how, request)
        end = start + sizes[how.rows]
        answers.append(
            [_cut(how, specs[name], output[start:end], sizes) for name, output in zip(names, outputs, strict=True)]
        )
        start = end
    return answers


def _joined(how: Stacking, spec: TensorSpec, parts: Sequence[Array]) -> Array:
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) == 1:
        return np.concatenate(parts)
    longest = tuple(max(sizes) for sizes in zip(*shapes, strict=True))
    whole = np.full((sum(len(part) for part in parts), *longest), how.fill[spec.name], parts[0].dtype)
    start = 0
    for part in parts:
        whole[(slice(start, start + len(part)), *(slice(size) for size in part.shape[1:]))] = part
        start += len(part)
    return whole


def _sizes(how: Stacking, request: Tensors) -> dict[str, int]:
    return {
        dimension: size
        for spec in how.signature.inputs
        for dimension, size in zip(spec.shape, request[spec.name].shape, strict=True)
        if isinstance(dimension, str)
    }


def _cut(how: Stacking, spec: TensorSpec, rows: Array, sizes: Mapping[str, int]) -> Array:
    if how.elastic.isdisjoint(spec.shape):
        return rows
    return rows[tuple(slice(sizes[each]) if each in how.elastic else slice(None) for each in spec.shape)]
