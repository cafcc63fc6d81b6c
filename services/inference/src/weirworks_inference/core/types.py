"""What the inference service talks about: models, their cards and their tensors."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

ModelName = NewType("ModelName", str)
# A dimension is a size, or a name for one that varies but is the same wherever the name occurs.
Dimension = int | str


class Task(StrEnum):
    """What a model is for."""

    CLASSIFY_IMAGE = "classify-image"
    EMBED_TEXT = "embed-text"
    TENSOR = "tensor"


class State(StrEnum):
    """Where a model is in its life."""

    LOADABLE = "LOADABLE"
    LOADING = "LOADING"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A declared input or output: name, OIP datatype and shape."""

    name: str
    datatype: str
    shape: tuple[Dimension, ...]


@dataclass(frozen=True, slots=True)
class TensorShape:
    """A tensor as a request gives it, without its values."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """The tensors that a model takes and gives."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True)
class ImageCard:
    """How a picture becomes the model's input; mean and std are of 0–255 values, by channel."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    labels: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class TextCard:
    """How a text becomes the model's input; `tokenizer` is a file beside the card."""

    tokenizer: str
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Card:
    """What the repository says of a model beside its graph."""

    task: Task
    # Most elements in all inputs of one request: activations grow with them, and memory with those.
    max_elements: int
    image: ImageCard | None = None
    text: TextCard | None = None
