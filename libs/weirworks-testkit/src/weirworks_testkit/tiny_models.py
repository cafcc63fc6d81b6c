"""Model repositories of a few hundred bytes, made on the spot."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# Name → datatype and shape.
Spec = tuple[int, Sequence[str | int]]
Tensors = Mapping[str, Spec]
_CLASSIFIER_CARD = """\
task = "classify-image"
[image]
size = 8
resize = "cover"
mean = [0.0, 0.0, 0.0]
std = [255.0, 255.0, 255.0]
labels = "labels.json"
"""
_ENCODER_CARD = """\
task = "embed-text"
[text]
tokenizer = "tokenizer.json"
max_tokens = 8
pooling = "mean"
"""


def write_identity(root: Path, name: str = "identity", version: str = "1", kind: int = TensorProto.FLOAT) -> None:
    """`x` [rows, width] of any datatype comes back as `y`."""
    node = helper.make_node("Identity", ["x"], ["y"])
    _save(root / name / version, [node], {"x": (kind, ["rows", "width"])}, {"y": (kind, ["rows", "width"])}, {})


def write_adder(root: Path, name: str = "adder", version: str = "1") -> None:
    """`a` and `b` float32 [rows, 2] give `sum`."""
    node = helper.make_node("Add", ["a", "b"], ["sum"])
    shape: Spec = (TensorProto.FLOAT, ["rows", 2])
    _save(root / name / version, [node], {"a": shape, "b": shape}, {"sum": shape}, {})


def write_classifier(root: Path, name: str = "lite0", version: str = "1") -> None:
    """Three classes: the most red, green or blue channel of an 8 × 8 picture wins."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    weights: dict[str, NDArray[Any]] = {"weights": np.eye(3, dtype=np.float32) * 10}
    folder = root / name / version
    inputs: Tensors = {"image": (TensorProto.FLOAT, ["batch", 3, 8, 8])}
    _save(folder, nodes, inputs, {"logits": (TensorProto.FLOAT, ["batch", 3])}, weights)
    (folder / "card.toml").write_text(_CLASSIFIER_CARD)
    labels = {"en": ["red", "green", "blue"], "tr": ["kırmızı", "yeşil", "mavi"]}
    (folder / "labels.json").write_text(json.dumps(labels))


def write_encoder(root: Path, name: str = "minilm", version: str = "1") -> None:
    """Words `[UNK]`, hello, world, merhaba as one-hot vectors of width 4."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["rows", "column"], ["last_hidden_state"]),
    ]
    constants: dict[str, NDArray[Any]] = {"table": np.eye(4, dtype=np.float32), "last": np.array([2], np.int64)}
    tokens: Spec = (TensorProto.INT64, ["batch", "tokens"])
    outputs: Tensors = {"last_hidden_state": (TensorProto.FLOAT, ["batch", "tokens", 4])}
    folder = root / name / version
    _save(folder, nodes, {"input_ids": tokens, "attention_mask": tokens}, outputs, constants)
    (folder / "card.toml").write_text(_ENCODER_CARD)
    vocabulary = {"[UNK]": 0, "hello": 1, "world": 2, "merhaba": 3}
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def write_broken(root: Path, name: str = "broken", version: str = "1") -> None:
    """A file that is no model."""
    folder = root / name / version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(b"this is no model")


def write_repository(root: Path) -> Path:
    """All of them."""
    write_identity(root)
    write_identity(root, "strings", kind=TensorProto.STRING)
    write_adder(root)
    write_classifier(root)
    write_encoder(root)
    write_broken(root)
    return root


def _save(
    folder: Path,
    nodes: list[onnx.NodeProto],
    inputs: Tensors,
    outputs: Tensors,
    constants: Mapping[str, NDArray[Any]],
) -> None:
    graph = helper.make_graph(
        nodes,
        folder.parent.name,
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
