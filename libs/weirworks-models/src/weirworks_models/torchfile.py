"""Reads tensors from PyTorch's legacy checkpoint files without PyTorch and without running a pickle.

The format: pickles of a magic number, a version, the writer's machine, the object tree and the list
of storage keys, then each storage as an element count and its raw bytes.
"""

import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True, slots=True)
class _View:
    """A tensor before its storage was read: which storage, and how it lies in it."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    # In elements: weights that came from TensorFlow lie transposed in their storage.
    strides: tuple[int, ...]


def read_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """Name → array of every tensor. Raises ValueError when the file is not such a checkpoint."""
    with path.open("rb") as file:
        if pickle.load(file) != _MAGIC:  # noqa: S301  (a plain number; checked at once)
            raise ValueError(f"{path.name} is not a legacy PyTorch checkpoint")
        for _ in ("version", "machine"):
            _Restricted(file).load()
        reader = _Restricted(file)
        tree = reader.load()
        keys = _Restricted(file).load()
        storages = {key: _read_storage(file, reader.dtypes[key]) for key in keys}
    return {name: _array(view, storages[view.storage]) for name, view in tree.items()}


class _Restricted(pickle.Unpickler):
    """Knows four names; a pickle that asks for any other is refused."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
            ("torch", "FloatStorage"): "FloatStorage",
            ("torch", "LongStorage"): "LongStorage",
        }
        if (module, name) not in known:
            raise ValueError(f"the checkpoint asks for {module}.{name}, which is not allowed")
        return known[module, name]

    def persistent_load(self, pid: Any) -> str:
        _storage, kind, key, _location, _count, _view = pid
        self.dtypes[key] = _DTYPES[kind]
        return str(key)


def _rebuild(storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_hooks: Any) -> _View:
    return _View(storage, offset, tuple(shape), tuple(strides))


def _read_storage(file: BinaryIO, dtype: np.dtype[Any]) -> NDArray[Any]:
    (count,) = struct.unpack("<q", file.read(8))
    return np.frombuffer(file.read(count * dtype.itemsize), dtype)


def _array(view: _View, storage: NDArray[Any]) -> NDArray[Any]:
    last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    if not 0 <= view.offset <= last < len(storage):
        raise ValueError("the checkpoint has a tensor outside of its storage")
    strides = [stride * storage.itemsize for stride in view.strides]
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, strides)
