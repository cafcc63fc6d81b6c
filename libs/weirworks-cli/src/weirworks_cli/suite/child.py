"""One process that should run: started, waited for, restarted when it dies, stopped."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.25, 10.0
# A process that lived this long has started well; its next death begins a new row of restarts.
_PROVEN = 30.0
_START_PATIENCE = 90.0
_POLL = 0.05
_USAGE = 2


class ChildFailed(Exception):
    """A process did not become ready; the text names its log."""


@dataclass(frozen=True, slots=True)
class Spec:
    """How a process is run. `probe` says when it is ready; without one its `ready` line does."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    inherited: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    stop_patience: float = 30.0
    probe: Callable[[], bool] | None = None
    # Name of the variable that keeps a restarted process at the address it had.
    port_variable: str = ""


class Child:
    """Keeps one process running until `stop`."""

    def __init__(self, spec: Spec, say: Callable[[str], None]) -> None:
        self.spec = spec
        self.address = ""
        self.metrics = ""
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """True while it is up and has said so."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Returns once it is ready. Raises ChildFailed."""
        try:
            async with asyncio.timeout(_START_PATIENCE):
                await self._ready.wait()
        except TimeoutError:
            raise ChildFailed(f"{self.spec.name} did not become ready; see {self.spec.log}") from None

    async def run(self, changed: Callable[[], Awaitable[None]] | None = None) -> None:
        """Runs the process until `stop`; `changed` is called when it becomes ready and when it dies."""
        backoff = _FIRST_BACKOFF
        while not self._stopping.is_set():
            started = time.monotonic()
            await self._start()
            await self._watch(changed)
            if self._stopping.is_set():
                return
            self._refuse_bad_settings()
            backoff = _FIRST_BACKOFF if time.monotonic() - started > _PROVEN else min(_LONGEST_BACKOFF, backoff * 2)
            self._say(f"{self.spec.name} died; restarting in {backoff:g} s (see {self.spec.log})")
            await _either(self._stopping, backoff)

    def _refuse_bad_settings(self) -> None:
        """A process that was never ready and ends with the code for usage would only do so again."""
        if self.address or self._process is None or self._process.returncode != _USAGE:
            return
        lines = self.spec.log.read_text("utf-8", "replace").splitlines()
        raise ChildFailed(f"{self.spec.name} refuses its settings: {lines[-1] if lines else 'see its log'}")

    async def stop(self) -> None:
        """Asks the process to end, and ends it when it does not."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(self.spec.stop_signal)
        try:
            async with asyncio.timeout(self.spec.stop_patience):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _start(self) -> None:
        environment = {**os.environ, **self.spec.environment}
        if self.address and self.spec.port_variable:
            environment[self.spec.port_variable] = self.address.rpartition(":")[2]
        self.spec.log.parent.mkdir(parents=True, exist_ok=True)
        with self.spec.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log if self.spec.probe else asyncio.subprocess.PIPE,
                stderr=log,
                env=environment,
                pass_fds=self.spec.inherited,
                # Ctrl-C reaches the supervisor alone, which stops its children in order.
                start_new_session=True,
            )

    async def _watch(self, changed: Callable[[], Awaitable[None]] | None) -> None:
        process = self._process
        assert process is not None
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(self._await_ready(process, changed))
            await process.wait()
            waiting.cancel()
        self._ready.clear()
        if changed is not None:
            await changed()

    async def _await_ready(
        self, process: asyncio.subprocess.Process, changed: Callable[[], Awaitable[None]] | None
    ) -> None:
        if self.spec.probe is not None:
            while not self.spec.probe():  # noqa: ASYNC110  (another process, which sets no event of ours)
                await asyncio.sleep(_POLL)
        else:
            assert process.stdout is not None
            while b" ready " not in (line := await process.stdout.readline()):
                if not line:
                    return
            self._read(line.decode().split())
        self._ready.set()
        if changed is not None:
            await changed()
        if process.stdout is not None:
            # Read on, so that a process that prints more never blocks on a full pipe.
            while await process.stdout.readline():
                pass

    def _read(self, words: list[str]) -> None:
        self.address = words[1]
        self.metrics = words[3].removeprefix("metrics=") if len(words) > 3 else ""


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Returns when the event is set or the time is over."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
