"""One version of one model, and what happened to it since the process started."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time

from weirworks_inference.core.residency import ModelKey, Resident, Size
from weirworks_inference.core.statistics import Statistics
from weirworks_inference.core.types import Card, State
from weirworks_inference.execution import Execution
from weirworks_inference.repository import Stamp
from weirworks_inference.runtime.protocol import Generator, Placement, Session
from weirworks_inference.text import TextEncoder


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory with what its calls need; tensors go to `execution`, prompts to `generator`."""

    card: Card
    placement: Placement
    digest: str
    session: Session | None = None
    execution: Execution | None = None
    encoder: TextEncoder | None = None
    generator: Generator | None = None


@dataclass(slots=True, eq=False)
class Model:
    """Changed by the event loop only."""

    name: str
    version: str
    folder: Path
    stamp: Stamp
    state: State = State.LOADABLE
    loaded: Loaded | None = None
    failure: str = ""
    failures: int = 0
    failed_at: float = 0.0
    loads: int = 0
    load_seconds: float = 0.0
    size: Size = field(default_factory=lambda: Size(0))
    pinned: bool = False
    busy: int = 0
    last_use: float = field(default_factory=monotonic)
    # Seconds since the epoch; 0 for never.
    last_use_time: float = 0.0
    load_reason: str = ""
    unload_reason: str = ""
    loading: "asyncio.Task[Loaded] | None" = None
    statistics: Statistics = field(default_factory=Statistics)

    @property
    def key(self) -> ModelKey:
        """Name and version."""
        return self.name, self.version

    @property
    def ready(self) -> bool:
        """True when it is in memory or can be loaded on demand; false after a failed load."""
        return self.loaded is not None or self.state in (State.LOADABLE, State.LOADING)

    def resident(self) -> Resident:
        """The model as the residency plan sees it."""
        loading = self.loading is not None and not self.loading.done()
        return Resident(self.key, self.size, self.last_use, self.pinned, self.busy > 0 or loading)

    def in_use(self) -> "_Use":
        """Keeps it from being unloaded for the length of a `with`: while a request is on its way."""
        return _Use(self)


class _Use:
    """Written out, since it is made for every request and a generator's context manager costs three times as much."""

    __slots__ = ("_model",)

    def __init__(self, model: Model) -> None:
        self._model = model

    def __enter__(self) -> None:
        self._model.busy += 1

    def __exit__(self, *_exception: object) -> None:
        self._model.busy -= 1
        self._model.last_use = monotonic()
        self._model.last_use_time = time()
