"""What the service asks of a runtime: tensors in and out, or tokens one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from weirworks_inference.core.types import Card, Signature

Array = NDArray[Any]
# What cards and settings call them, in ONNX Runtime's words.
PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}


class LoadFailed(Exception):
    """The file is not a model that the runtime can run; the text is fit for callers."""


class RunFailed(Exception):
    """The model cannot run on these values; the text is for logs."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is loaded: a version's folder, its card, the graph's file and checksum."""

    folder: Path
    card: Card
    graph: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a model runs: the providers in use in their order, and why others that were asked for are not."""

    providers: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @property
    def on_device(self) -> bool:
        """True when the first choice is not the CPU."""
        return self.providers[0] != "cpu"


class Session(Protocol):
    """A model in memory that maps tensors to tensors."""

    @property
    def signature(self) -> Signature:
        """The tensors that it takes and gives."""

    @property
    def placement(self) -> Placement:
        """Where it runs."""

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """The outputs in the order asked for; blocks. Raises RunFailed."""


class TokenStream(Protocol):
    """One answer in the making. `next` blocks for one token, so that others run between two of them."""

    def next(self) -> int | None:
        """The next token; None at the end. Raises RunFailed."""


class Generator(Protocol):
    """A model in memory that continues tokens."""

    @property
    def placement(self) -> Placement:
        """Where it runs."""

    def encode(self, prompt: str) -> list[int]:
        """The prompt's tokens."""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens."""

    def start(self, prompt: Sequence[int], max_tokens: int) -> TokenStream:
        """Takes the prompt in; blocks. Raises RunFailed."""


class Runtime(Protocol):
    """Loads models. Blocks; raises LoadFailed."""

    def load(self, source: Source) -> Session:
        """A model that can run."""


class GeneratorRuntime(Protocol):
    """Loads models that continue tokens. Blocks; raises LoadFailed."""

    def load(self, source: Source) -> Generator:
        """A model that can run."""
