"""What the service asks of a runtime."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from weirworks_inference.core.types import Signature

Array = NDArray[Any]


class LoadFailed(Exception):
    """The file is not a model that the runtime can run; the text is fit for callers."""


class RunFailed(Exception):
    """The model cannot run on these values; the text is for logs."""


class Session(Protocol):
    """A model in memory."""

    @property
    def signature(self) -> Signature:
        """The tensors that it takes and gives."""

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """The outputs in the order asked for; blocks. Raises RunFailed."""


class Runtime(Protocol):
    """Loads models."""

    def load(self, path: Path) -> Session:
        """Blocks until the model can run. Raises LoadFailed."""
