"""The models on disk, loaded when first asked for, once however many ask."""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from weirworks_inference.card import read_card
from weirworks_inference.core.types import Card, State
from weirworks_inference.device import resident_bytes
from weirworks_inference.errors import ModelBroken, ModelNotFound
from weirworks_inference.instruments import Instruments
from weirworks_inference.runtime.protocol import LoadFailed, Runtime, Session
from weirworks_inference.text import TextEncoder
from weirworks_inference.worker import Worker

log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_RESCAN = timedelta(seconds=1)
_RETRY = timedelta(seconds=10)
_LOAD_TIME = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory with what its calls need."""

    session: Session
    card: Card
    encoder: TextEncoder | None


@dataclass(slots=True)
class Model:
    """One version of one model and what happened to it since the process started."""

    name: str
    version: str
    folder: Path
    state: State = State.LOADABLE
    loaded: Loaded | None = None
    failure: str = ""
    failed_at: float = 0.0
    loads: int = 0
    load_seconds: float = 0.0
    resident_bytes: int = 0
    runs: int = 0
    cold_seconds: float = 0.0
    warm_seconds: float = 0.0
    last_use: datetime | None = None
    loading: "asyncio.Task[Loaded] | None" = None

    @property
    def path(self) -> Path:
        """The graph."""
        return self.folder / "model.onnx"

    @property
    def ready(self) -> bool:
        """True when it is in memory or can be loaded on demand; false after a failed load."""
        return self.state is not State.FAILED

    def record_run(self, seconds: float) -> None:
        """Counts one run; the first after a load is the cold one."""
        self.runs += 1
        self.last_use = datetime.now(UTC)
        if self.cold_seconds == 0.0:
            self.cold_seconds = seconds
        else:
            self.warm_seconds += (seconds - self.warm_seconds) / max(1, self.runs - 1)


class Repository:
    """`<root>/<model>/<version>/model.onnx`; versions are numbers, the highest is the default."""

    def __init__(self, root: Path, runtime: Runtime, worker: Worker, instruments: Instruments) -> None:
        self._root = root
        self._runtime = runtime
        self._worker = worker
        self._instruments = instruments
        self._models: dict[tuple[str, str], Model] = {}
        self._scanned = 0.0
        self._scan()

    def models(self) -> list[Model]:
        """All versions by name, then number."""
        self._scan()
        return sorted(self._models.values(), key=lambda model: (model.name, int(model.version)))

    def find(self, name: str, version: str) -> Model:
        """The model; the newest version where none is named. Raises ModelNotFound."""
        model = self._known(name, version)
        if model is None and time.monotonic() - self._scanned > _RESCAN.total_seconds():
            self._scan()
            model = self._known(name, version)
        if model is None:
            raise ModelNotFound(name, version)
        return model

    async def load(self, model: Model) -> Loaded:
        """The model in memory. Raises ModelBroken; after a failure a load is tried again in a while.

        A load goes on when the caller that began it gives up: else a caller whose deadline is shorter than
        the load would begin it anew for ever.
        """
        if model.loaded is not None:
            return model.loaded
        if model.loading is None or model.loading.done():
            model.loading = asyncio.get_running_loop().create_task(self._load(model))
            model.loading.add_done_callback(_look_at_failure)
        return await asyncio.shield(model.loading)

    async def _load(self, model: Model) -> Loaded:
        since = timedelta(seconds=time.monotonic() - model.failed_at)
        if model.state is State.FAILED and since < _RETRY:
            raise ModelBroken(model.name, model.failure, _RETRY - since)
        model.state = State.LOADING
        before = resident_bytes()
        try:
            done = await self._worker.run(self._reader(model), _LOAD_TIME)
        except LoadFailed as error:
            model.state, model.failure, model.failed_at = State.FAILED, str(error), time.monotonic()
            self._instruments.loads.labels(model.name, "failed").inc()
            log.exception("load failed", extra={"model": model.name, "version": model.version})
            raise ModelBroken(model.name, model.failure, _RETRY) from None
        except BaseException:
            model.state = State.LOADABLE
            raise
        model.loaded, model.state, model.failure = done.value, State.READY, ""
        model.loads += 1
        model.load_seconds = done.ran
        model.cold_seconds = 0.0
        model.resident_bytes = resident_bytes() - before
        self._instruments.loads.labels(model.name, "loaded").inc()
        log.info("loaded", extra={"model": model.name, "version": model.version, "seconds": round(done.ran, 3)})
        return done.value

    def _reader(self, model: Model) -> Callable[[], Loaded]:
        def read() -> Loaded:
            card = read_card(model.folder)
            encoder = TextEncoder(model.folder, card.text) if card.text else None
            return Loaded(self._runtime.load(model.path), card, encoder)

        return read

    def _known(self, name: str, version: str) -> Model | None:
        if version:
            return self._models.get((name, version))
        versions = [model for (known, _), model in self._models.items() if known == name]
        return max(versions, key=lambda model: int(model.version), default=None)

    def _scan(self) -> None:
        found = {
            (path.parent.parent.name, path.parent.name): path.parent
            for path in self._root.glob("*/*/model.onnx")
            if _NAME.fullmatch(path.parent.parent.name) and path.parent.name.isdecimal()
        }
        self._models = {key: self._models.get(key) or Model(*key, folder) for key, folder in found.items()}
        self._scanned = time.monotonic()


def _look_at_failure(loading: "asyncio.Task[Loaded]") -> None:
    """Keeps asyncio from warning of an error that every caller gave up waiting for; the model has it."""
    if not loading.cancelled():
        loading.exception()
