"""What the inference service talks about: models, their cards and their tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

# A dimension is a size, or a name for one that varies but is the same wherever the name occurs.
Dimension = int | str


class Task(StrEnum):
    """What a model is for."""

    CLASSIFY_IMAGE = "classify-image"
    EMBED_TEXT = "embed-text"
    GENERATE_TEXT = "generate-text"
    TENSOR = "tensor"


class State(StrEnum):
    """Where a model is in its life."""

    LOADABLE = "LOADABLE"
    LOADING = "LOADING"
    READY = "READY"
    FAILED = "FAILED"
    # An operator took it out; only an operator brings it back.
    WITHDRAWN = "WITHDRAWN"


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


class Resize(StrEnum):
    """How a picture meets the model's square."""

    # Scaled to cover it, cut in its middle.
    COVER = "cover"
    # Scaled to lie in it whole, the rest filled with the mean.
    CONTAIN = "contain"
    # Scaled without regard to its shape.
    STRETCH = "stretch"


@dataclass(frozen=True, slots=True)
class ImageCard:
    """How a picture becomes the model's input, and its output probabilities.

    mean and std are of 0–255 values, by channel: three for colour, one for grey.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    labels: Mapping[str, Sequence[str]]
    resize: Resize = Resize.COVER
    bgr: bool = False
    channels_last: bool = False
    # True where the graph ends in a softmax of its own.
    gives_probabilities: bool = False


class Pooling(StrEnum):
    """How token vectors become one vector."""

    MEAN = "mean"
    FIRST = "first"
    # The graph gives one vector for each text already.
    NONE = "none"


@dataclass(frozen=True, slots=True)
class TextCard:
    """How a text becomes the model's input; `tokenizer` is a file beside the card."""

    tokenizer: str
    max_tokens: int
    pooling: Pooling = Pooling.MEAN
    # ISO 639-1 codes that the model was trained for; empty says nothing.
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchCard:
    """Whether requests share a run: most rows in one, wait for more in seconds, and what fills short rows.

    `pad` is a value for each input whose varying dimensions may be filled up; an input that is not named
    shares a run only with requests of exactly its shape.
    """

    rows: int = 1
    delay: float = 0.0
    pad: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionCard:
    """How the runtime runs the graph; empty and 0 take the service's settings."""

    providers: tuple[str, ...] = ()
    threads: int = 0
    io_binding: bool | None = None


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Runs on sample inputs after a load: sizes of named dimensions, 1 where none is given."""

    runs: int = 1
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Card:
    """What the repository says of a model beside its graph."""

    task: Task
    # Most elements in all inputs of one request: activations grow with them, and memory with those.
    max_elements: int
    # The graph's file beside the card: a quantised variant is chosen here.
    graph: str = "model.onnx"
    image: ImageCard | None = None
    text: TextCard | None = None
    batch: BatchCard = field(default_factory=BatchCard)
    session: SessionCard = field(default_factory=SessionCard)
    warm_up: WarmUp = field(default_factory=WarmUp)
