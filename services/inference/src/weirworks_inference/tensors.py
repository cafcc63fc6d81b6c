"""OIP tensors ↔ numpy arrays; raw contents become arrays without a copy."""

import struct
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from weirworks_rpc.oip import messages

from weirworks_inference.core.signature import Problem
from weirworks_inference.wire import Contents

Array = NDArray[Any]
DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    # The bits: numpy has no such type.
    "BF16": np.dtype("<u2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
_LENGTH = struct.Struct("<I")


class TensorProblem(Exception):
    """A tensor's bytes are not what its datatype and shape say."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.problem: Problem = (field, rule)


def read_inputs(request: messages.ModelInferRequest, raw: Contents) -> dict[str, Array]:
    """Input name → array. Raises TensorProblem for bytes that do not fit datatype and shape."""
    if raw and len(raw) != len(request.inputs):
        raise TensorProblem("raw_input_contents", f"{len(raw)} given for {len(request.inputs)} inputs")
    if raw and any(tensor.HasField("contents") for tensor in request.inputs):
        raise TensorProblem("raw_input_contents", "give raw or typed contents, not both")
    return {
        tensor.name: _from_raw(tensor, raw[position]) if raw else _from_typed(tensor)
        for position, tensor in enumerate(request.inputs)
    }


def write_output(response: messages.ModelInferResponse, name: str, datatype: str, array: Array) -> None:
    """Appends the array as raw contents."""
    response.outputs.add(name=name, datatype=datatype, shape=array.shape)
    response.raw_output_contents.append(_pack_text(array) if datatype == "BYTES" else array.tobytes())


def _from_raw(tensor: messages.ModelInferRequest.InferInputTensor, raw: bytes | memoryview) -> Array:
    field = f"inputs[{tensor.name}]"
    count = prod(tensor.shape)
    if tensor.datatype == "BYTES":
        return _unpack_text(bytes(raw), count, field).reshape(tuple(tensor.shape))
    dtype = _dtype(tensor.datatype, field)
    if len(raw) != count * dtype.itemsize:
        wanted = count * dtype.itemsize
        raise TensorProblem(f"{field}.contents", f"{len(raw)} bytes given; shape and datatype need {wanted}")
    return np.frombuffer(raw, dtype).reshape(tuple(tensor.shape))


def _from_typed(tensor: messages.ModelInferRequest.InferInputTensor) -> Array:
    field = f"inputs[{tensor.name}]"
    kind = _CONTENTS.get(tensor.datatype)
    if kind is None:
        raise TensorProblem(f"{field}.datatype", f"{tensor.datatype or 'none'} has no typed contents; send raw ones")
    values = getattr(tensor.contents, kind)
    count = prod(tensor.shape)
    if len(values) != count:
        raise TensorProblem(f"{field}.contents.{kind}", f"{len(values)} values given; the shape needs {count}")
    dtype = np.dtype(object) if tensor.datatype == "BYTES" else DTYPES[tensor.datatype]
    try:
        return np.array(values, dtype=dtype).reshape(tuple(tensor.shape))
    except OverflowError:
        raise TensorProblem(f"{field}.contents.{kind}", f"a value is out of range for {tensor.datatype}") from None


def _dtype(datatype: str, field: str) -> np.dtype[Any]:
    try:
        return DTYPES[datatype]
    except KeyError:
        known = ", ".join([*DTYPES, "BYTES"])
        raise TensorProblem(f"{field}.datatype", f"{datatype or 'none'} is not one of {known}") from None


def _unpack_text(raw: bytes, count: int, field: str) -> Array:
    """Strings, each after its length in 4 bytes, little-endian."""
    values: list[bytes] = []
    offset = 0
    while offset + _LENGTH.size <= len(raw) and len(values) < count:
        (length,) = _LENGTH.unpack_from(raw, offset)
        offset += _LENGTH.size
        values.append(raw[offset : offset + length])
        offset += length
    if offset != len(raw) or len(values) != count:
        raise TensorProblem(f"{field}.contents", f"the bytes are not {count} strings with their lengths before them")
    return np.array(values, dtype=object)


def _pack_text(array: Array) -> bytes:
    values = [value.encode() if isinstance(value, str) else bytes(value) for value in array.flat]
    return b"".join(_LENGTH.pack(len(value)) + value for value in values)
