"""The models in memory: loaded when first asked for, once however many ask; unloaded by `core.residency`."""

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from weirworks_rpc import WeirError

from weirworks_inference.core import residency
from weirworks_inference.core.residency import Eviction, Reason, Size
from weirworks_inference.core.types import State
from weirworks_inference.core.versions import Registered
from weirworks_inference.errors import MemoryFull, ModelBroken, ModelLoading, ModelNotFound, ModelWithdrawn
from weirworks_inference.host import give_back
from weirworks_inference.instruments import Instruments
from weirworks_inference.loader import Loader, Read
from weirworks_inference.model import Loaded, Model
from weirworks_inference.runtime.protocol import LoadFailed, Source
from weirworks_inference.shelf import Shelf

log = logging.getLogger(__name__)
# Loads that failed are tried again after this long, doubled each time.
_FIRST_RETRY, _LONGEST_RETRY = 10.0, 600.0
# A caller is told to come back before its own deadline cuts the line, so that it learns when.
_MARGIN = 0.1
# How long an unload waits for the memory to be back, and how long it is waited for at all: a request may run on.
_RETURN_PATIENCE, _LONGEST_REQUEST, _DESTRUCTION = 1.0, 300.0, 0.05
_UNKNOWN_LOAD = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Rules:
    """The budget in bytes, and seconds without use after which a model is unloaded (0: never)."""

    budget: Size
    idle: float


class Residents:
    """Owns the thread on which models are loaded."""

    def __init__(
        self,
        shelf: Shelf,
        loader: Loader,
        rules: Rules,
        instruments: Instruments,
        registered: Callable[[str], Mapping[str, Registered]],
        charge: Callable[[float], None],
    ) -> None:
        self.shelf = shelf
        self._loader = loader
        self._rules = rules
        self._instruments = instruments
        self._registered = registered
        self._charge = charge
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._returning: set[asyncio.Task[None]] = set()
        self._swaps: dict[str, asyncio.Task[None]] = {}
        # Set whenever a model's readiness may have changed.
        self.changed = asyncio.Event()

    async def load(self, model: Model, remaining: timedelta) -> Loaded:
        """The model in memory.

        A load goes on when the caller that began it gives up: else a caller whose deadline is shorter than the
        load would begin it anew for ever. Raises ModelBroken, ModelWithdrawn, ModelLoading, MemoryFull.
        """
        if model.loaded is not None:
            return model.loaded
        if model.state is State.WITHDRAWN:
            raise ModelWithdrawn(model.name)
        loading = self._loading(model)
        try:
            async with asyncio.timeout(remaining.total_seconds() * (1 - _MARGIN)):
                return await asyncio.shield(loading)
        except TimeoutError:
            raise ModelLoading(model.name, timedelta(seconds=model.load_seconds) or _UNKNOWN_LOAD) from None

    async def load_now(self, model: Model) -> Loaded:
        """The model in memory because an operator says so: failures and withdrawal are forgotten."""
        if model.loaded is None and model.state in (State.WITHDRAWN, State.FAILED):
            model.state, model.failures = State.LOADABLE, 0
        return await asyncio.shield(self._loading(model)) if model.loaded is None else model.loaded

    async def reload(self, model: Model) -> None:
        """Loads the files anew and swaps them in; the loaded ones answer until then. Raises as `load`."""
        if model.loading is None or model.loading.done():
            model.loading = self._begin(model)
        await asyncio.shield(model.loading)

    async def unload(self, model: Model, reason: Reason, *, withdraw: bool = False) -> int:
        """Takes a model out of memory; running requests keep theirs to the end. Returns the bytes it held."""
        held = model.size.host + model.size.device if model.loaded is not None else 0
        if withdraw:
            model.state = State.WITHDRAWN
        elif model.state is State.READY:
            model.state = State.LOADABLE
        if model.loaded is not None:
            # What holds the memory; requests that are just ending may hold it a moment longer than the model does.
            gone = weakref.ref(model.loaded.session or model.loaded.generator)
            model.loaded, model.size, model.unload_reason = None, Size(0), reason.value
            if model.loading is not None and model.loading.done():
                # A finished task keeps its result, and that is the model.
                model.loading = None
            self._instruments.unloads.labels(model.name, reason.value).inc()
            log.info("unloaded", extra={"model": model.name, "version": model.version, "reason": reason.value})
            returning = asyncio.get_running_loop().create_task(self._return_memory(gone))
            self._returning.add(returning)
            returning.add_done_callback(self._returning.discard)
            await asyncio.wait({returning}, timeout=_RETURN_PATIENCE)
        self._note()
        return held

    async def _return_memory(self, gone: "weakref.ref[Any]") -> None:
        """Hands free memory to the system once nobody holds what was unloaded."""
        deadline = time.monotonic() + _LONGEST_REQUEST
        # Nothing tells of the end of a reference but to look.
        while gone() is not None and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        # The object is gone before its destructor is through.
        await asyncio.sleep(_DESTRUCTION)
        await self._in_thread(give_back)

    def restore(self, name: str) -> None:
        """Ends the withdrawal of a model's versions; the next call loads them."""
        for version in self.shelf.versions(name):
            model = self.shelf.known(name, version)
            if model is not None and model.state is State.WITHDRAWN:
                model.state = State.LOADABLE
        self._note()

    async def unload_all(self, reason: Reason) -> list[Model]:
        """Takes every model out that is in memory, pinned ones too; returns them."""
        resident = [model for model in self.shelf.models() if model.loaded is not None]
        for model in resident:
            await self.unload(model, reason)
        return resident

    async def sweep(self, now: float) -> list[Eviction]:
        """Unloads what nobody used for a while."""
        evictions = residency.idle(self._residents(), now, self._rules.idle)
        await self._evict(evictions)
        return list(evictions)

    def has_room(self, size: Size) -> bool:
        """True when a model of that size fits without unloading another."""
        return residency.admit(size, self._residents(), self._rules.budget).reason is Reason.FITS

    @property
    def budget(self) -> Size:
        """Bytes that models may hold."""
        return self._rules.budget

    @property
    def used(self) -> Size:
        """Bytes that models hold."""
        return sum((each.size for each in self._residents()), Size(0))

    def look(self) -> None:
        """Follows the disk: new versions are loaded beside the old ones that answer, then take their place."""
        self.shelf.look()
        for model in self.shelf.take_changed():
            self._swap(model)
        for name in self.shelf.names():
            current, best = self.shelf.current(name), self.shelf.best(name)
            if current is None or best is None or current is best:
                continue
            if best.state is State.WITHDRAWN or (best.state is State.FAILED and _seconds_to_retry(best) > 0):
                continue
            if current.loaded is None or best.loaded is not None:
                self.shelf.promote(best)
                self._note()
            else:
                self._swap(best)

    def close(self) -> None:
        """Ends the thread once the running load is through."""
        for task in (*self._swaps.values(), *self._returning):
            task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _loading(self, model: Model) -> "asyncio.Task[Loaded]":
        if model.loading is None or model.loading.done():
            if model.state is State.FAILED and (left := _seconds_to_retry(model)) > 0:
                raise ModelBroken(model.name, model.failure, timedelta(seconds=left))
            model.loading = self._begin(model)
        return model.loading

    def _begin(self, model: Model) -> "asyncio.Task[Loaded]":
        task = asyncio.get_running_loop().create_task(self._load(model))
        task.add_done_callback(_look_at_failure)
        return task

    async def _load(self, model: Model) -> Loaded:
        reloading = model.loaded is not None
        if not reloading:
            model.state = State.LOADING
        try:
            source = await self._in_thread(self._loader.inspect, model.folder)
            self._compare(model, source)
            if not reloading:
                await self._make_room(model, source)
            read: Read = await self._in_thread(self._loader.read, model.key, source)
        except LoadFailed as error:
            raise self._failed(model, error) from None
        except WeirError:
            model.state, model.size = State.LOADABLE, Size(0)
            raise
        except BaseException:
            if not reloading:
                model.state, model.size = State.LOADABLE, Size(0)
            raise
        self._charge(read.cpu_seconds)
        if model.state is State.WITHDRAWN:
            model.size = Size(0)
            raise ModelWithdrawn(model.name)
        model.loaded, model.size, model.failure, model.failures = read.loaded, read.size, "", 0
        model.state = State.READY
        model.loads += 1
        model.load_seconds = read.seconds
        model.last_use = time.monotonic()
        model.statistics.record_load()
        self._instruments.loads.labels(model.name, "loaded").inc()
        log.info(
            "loaded",
            extra={
                "model": model.name,
                "version": model.version,
                "seconds": round(read.seconds, 3),
                "bytes": read.size.host,
                "providers": read.loaded.placement.providers,
                "missing": read.loaded.placement.missing,
            },
        )
        await self._evict(residency.over_budget(self._residents(), self._rules.budget))
        self._note()
        return read.loaded

    async def _make_room(self, model: Model, source: Source) -> None:
        wanted, budget = self._loader.estimate(source), self._rules.budget
        admission = residency.admit(wanted, self._residents(), budget)
        model.load_reason = admission.reason.value
        if not admission.admitted:
            self._instruments.loads.labels(model.name, "no room").inc()
            short = "device" if wanted.device > budget.device else "host"
            needed, bound = getattr(wanted, short), getattr(budget, short)
            raise MemoryFull(model.name, admission.reason.value, needed, bound, timedelta(seconds=5))
        # Counted from now on, so that two loads at once do not both take the same room.
        model.size = wanted
        await self._evict(admission.evictions)

    async def _evict(self, evictions: Iterable[Eviction]) -> None:
        for eviction in evictions:
            model = self.shelf.known(*eviction.key)
            # It may have got work since it was chosen.
            if model is not None and model.loaded is not None and not model.busy:
                await self.unload(model, eviction.reason)

    def _compare(self, model: Model, source: Source) -> None:
        registered = self._registered(model.name).get(model.version)
        if registered is not None and registered.digest != source.digest:
            raise LoadFailed(f"{source.graph.name} is not the file that was registered as version {model.version}")

    def _failed(self, model: Model, error: LoadFailed) -> ModelBroken:
        model.failure, model.failed_at, model.failures = str(error), time.monotonic(), model.failures + 1
        if model.loaded is None:
            model.state, model.size = State.FAILED, Size(0)
        self._instruments.loads.labels(model.name, "failed").inc()
        log.error(
            "load failed",
            extra={"model": model.name, "version": model.version, "why": str(error), "cause": str(error.__cause__)},
        )
        self._note()
        return ModelBroken(model.name, model.failure, timedelta(seconds=_seconds_to_retry(model)))

    def _swap(self, wanted: Model) -> None:
        running = self._swaps.get(wanted.name)
        if running is None or running.done():
            self._swaps[wanted.name] = asyncio.get_running_loop().create_task(self._swap_in(wanted))

    async def _swap_in(self, wanted: Model) -> None:
        """Loads, then promotes, then unloads the one before; a failure leaves the one before in its place."""
        before = self.shelf.current(wanted.name)
        try:
            await self.reload(wanted)
        except WeirError as error:
            log.warning(
                "new version not taken",
                extra={"model": wanted.name, "version": wanted.version, "reason": error.reason_word},
            )
            return
        self.shelf.promote(wanted)
        self._note()
        if before is not None and before is not wanted and not before.pinned:
            await self.unload(before, Reason.REPLACED)

    def _residents(self) -> list[residency.Resident]:
        return [model.resident() for model in self.shelf.models() if model.size != Size(0)]

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _note(self) -> None:
        self._instruments.resident_bytes.set(self.used.host)
        self.changed.set()


def find(shelf: Shelf, name: str, version: str) -> Model:
    """The model; its default version where none is named. Raises ModelNotFound."""
    model = shelf.known(name, version) if version else shelf.default(name)
    if model is None:
        raise ModelNotFound(name, version)
    return model


def _seconds_to_retry(model: Model) -> float:
    wait = residency.retry_delay(model.failures, _FIRST_RETRY, _LONGEST_RETRY)
    return model.failed_at + wait - time.monotonic()


def _look_at_failure(loading: "asyncio.Task[Loaded]") -> None:
    """Keeps asyncio from warning of an error that every caller gave up waiting for; the model has it."""
    if not loading.cancelled():
        loading.exception()
