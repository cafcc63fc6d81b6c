"""ONNX Runtime on the CPU."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from weirworks_inference.core.types import Signature, TensorSpec
from weirworks_inference.runtime.protocol import Array, LoadFailed, RunFailed, Session

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
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
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
)


class OnnxRuntime:
    """Loads ONNX files; `threads` is what one run may use."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def load(self, path: Path) -> Session:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        # Threads that spin while they wait would eat the CPU limit of an idle replica.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            return OnnxSession(session)
        except _ERRORS as error:
            raise LoadFailed(f"{path.name} is not a model that ONNX Runtime can run") from error


class OnnxSession:
    """One loaded file."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._signature = Signature(
            tuple(_spec(argument) for argument in session.get_inputs()),
            tuple(_spec(argument) for argument in session.get_outputs()),
        )

    @property
    def signature(self) -> Signature:
        return self._signature

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        try:
            return list(self._session.run(list(outputs), dict(inputs)))
        except _ERRORS as error:
            raise RunFailed(str(error)) from error


def _spec(argument: onnxruntime.NodeArg) -> TensorSpec:
    if argument.type not in _DATATYPES:
        raise ValueError(f"{argument.name} is a {argument.type}")
    # A dimension without a name varies on its own, so it gets one that occurs nowhere else.
    shape = tuple(
        size if isinstance(size, int | str) and size != "" else f"{argument.name}.{position}"
        for position, size in enumerate(argument.shape)
    )
    return TensorSpec(argument.name, _DATATYPES[argument.type], shape)
