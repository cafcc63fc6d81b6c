"""ONNX Runtime: the CPU, CUDA and TensorRT by configuration."""

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from weirworks_inference.core.types import Signature, TensorSpec
from weirworks_inference.runtime.optimized import OptimizedGraphs
from weirworks_inference.runtime.options import Defaults, placed, provider_options, session_options
from weirworks_inference.runtime.protocol import (
    PROVIDERS,
    Array,
    LoadFailed,
    Placement,
    RunFailed,
    Session,
    Source,
)

_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(bfloat16)": "BF16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
# ONNX's number of bfloat16; numpy has no such type, so its bits travel as uint16.
_BF16 = 16
# The binding raises one class per status code, none of which has a base class of its own.
_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    ort_errors.EPFail,
    ValueError,
    RuntimeError,
)


class OnnxRuntime:
    """Loads ONNX files; `graphs` keeps what optimising gave, so that a second start need not do it again."""

    def __init__(self, defaults: Defaults, graphs: OptimizedGraphs) -> None:
        self._defaults = defaults
        self._graphs = graphs

    def load(self, source: Source) -> Session:
        card = source.card.session
        placement = placed(card, self._defaults, onnxruntime.get_available_providers())
        optimized = None if placement.on_device else self._graphs.find_or_make(source, self._defaults)
        try:
            session = onnxruntime.InferenceSession(
                str(optimized or source.graph),
                session_options(card, self._defaults, optimized=optimized is not None),
                providers=provider_options(placement, self._defaults, str(self._graphs.folder)),
            )
            used = tuple(session.get_providers())
            kept = tuple(name for name in placement.providers if PROVIDERS[name] in used)
            lost = tuple(f"{name}: did not start" for name in placement.providers if name not in kept)
            return OnnxSession(session, Placement(kept, placement.missing + lost), card.io_binding)
        except _ERRORS as error:
            raise LoadFailed(f"{source.graph.name} is not a model that ONNX Runtime can run") from error


class OnnxSession:
    """One loaded file. With IO binding, outputs are written where they are read, without a copy on the way."""

    def __init__(
        self, session: onnxruntime.InferenceSession, placement: Placement, io_binding: bool | None = None
    ) -> None:
        self._session = session
        self._placement = placement
        self._binds = placement.on_device if io_binding is None else io_binding
        self._signature = Signature(
            tuple(_spec(argument) for argument in session.get_inputs()),
            tuple(_spec(argument) for argument in session.get_outputs()),
        )
        specs = (*self._signature.inputs, *self._signature.outputs)
        self._bf16 = frozenset(spec.name for spec in specs if spec.datatype == "BF16")

    @property
    def signature(self) -> Signature:
        return self._signature

    @property
    def placement(self) -> Placement:
        return self._placement

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        try:
            if self._bf16:
                return self._run_bf16(inputs, outputs)
            if self._binds:
                return self._run_bound(inputs, outputs)
            return list(self._session.run(outputs, inputs))
        except _ERRORS as error:
            raise RunFailed(str(error)) from error

    def _run_bound(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        binding = self._session.io_binding()
        for name, array in inputs.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(array))
        for name in outputs:
            binding.bind_output(name, "cpu")
        self._session.run_with_iobinding(binding)
        return list(binding.copy_outputs_to_cpu())

    def _run_bf16(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        make = onnxruntime.OrtValue
        values = {
            name: make.ortvalue_from_numpy_with_onnx_type(np.ascontiguousarray(array), _BF16)
            if name in self._bf16
            else make.ortvalue_from_numpy(np.ascontiguousarray(array))
            for name, array in inputs.items()
        }
        answers = self._session.run_with_ort_values(list(outputs), values)
        named = zip(outputs, answers, strict=True)
        return [_bits(each) if name in self._bf16 else each.numpy() for name, each in named]


def _bits(value: Any) -> Array:
    """A copy of a bfloat16 tensor's memory."""
    shape = tuple(value.shape())
    count = int(np.prod(shape, dtype=np.int64))
    memory = (ctypes.c_uint16 * count).from_address(value.data_ptr())
    return np.ctypeslib.as_array(memory).copy().reshape(shape)


def _spec(argument: onnxruntime.NodeArg) -> TensorSpec:
    if argument.type not in _DATATYPES:
        raise ValueError(f"{argument.name} is a {argument.type}")
    # A dimension without a name varies on its own, so it gets one that occurs nowhere else.
    shape = tuple(
        size if isinstance(size, int | str) and size != "" else f"{argument.name}.{position}"
        for position, size in enumerate(argument.shape)
    )
    return TensorSpec(argument.name, _DATATYPES[argument.type], shape)
