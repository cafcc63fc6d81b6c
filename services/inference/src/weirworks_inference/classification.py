"""Triton's classification extension: an output as `score:index:label` strings, best first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from weirworks_rpc.oip import messages

from weirworks_inference.core.types import Card
from weirworks_inference.errors import InvalidTensor
from weirworks_inference.runtime.protocol import Array

_MOST = 1000
_NONE: Mapping[str, "Ranking"] = {}
_NUMBERS = ("FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")


@dataclass(frozen=True, slots=True)
class Ranking:
    """How many of the best values of an output are wanted."""

    count: int

    def of(self, array: Array, card: Card) -> Array:
        """[rows, count] of bytes; labels of the card where it has one for every value."""
        rows = array.reshape(len(array), -1) if array.ndim > 1 else array.reshape(1, -1)
        labels = card.image.labels["en"] if card.image else ()
        named = labels if len(labels) == rows.shape[1] else ()
        ranked = [_ranked(row, self.count, named) for row in rows]
        return np.array(ranked, dtype=object).reshape(len(rows), -1)


def rankings_of(request: messages.ModelInferRequest, datatypes: Mapping[str, str]) -> Mapping[str, Ranking]:
    """Output name → ranking, for outputs that ask for one. Raises InvalidTensor."""
    if not request.outputs:
        return _NONE
    rankings: dict[str, Ranking] = {}
    for output in request.outputs:
        if not output.parameters or "classification" not in output.parameters:
            continue
        count = output.parameters["classification"].int64_param
        field = f"outputs[{output.name}].parameters[classification]"
        if not 1 <= count <= _MOST:
            raise InvalidTensor(request.model_name, [(field, f"{count} given; 1 to {_MOST} classes")])
        if datatypes.get(output.name, "FP32") not in _NUMBERS:
            raise InvalidTensor(request.model_name, [(field, f"{datatypes[output.name]} values have no order")])
        rankings[output.name] = Ranking(count)
    return rankings


def _ranked(row: Array, count: int, labels: Sequence[str]) -> list[bytes]:
    order = np.argsort(-row.astype(np.float64), kind="stable")[:count]
    return [f"{row[index]:f}:{index}{':' + labels[index] if labels else ''}".encode() for index in order]
