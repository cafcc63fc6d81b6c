"""Both engines for the length of a `with`: for one service, or for tests."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from weirworks_engines.binaries import EngineFailed
from weirworks_engines.postgres import Postgres
from weirworks_engines.valkey import Valkey

_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Engines:
    """Where the running engines are."""

    postgres_url: str
    redis_url: str


@contextmanager
def running_engines(folder: Path) -> Iterator[Engines]:
    """Starts both with their data under `folder`. Raises EngineFailed."""
    sockets = new_socket_folder()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, sockets, ignore_errors=True)
        engines: list[Postgres | Valkey] = [Postgres(folder / "postgres", sockets), Valkey(folder / "valkey", sockets)]
        for engine in engines:
            stack.enter_context(_running(engine, folder))
        yield Engines(engines[0].url, engines[1].url)


def new_socket_folder() -> Path:
    """A private folder with a path short enough for a Unix socket's 107 bytes."""
    return Path(tempfile.mkdtemp(prefix="weir-", dir="/tmp"))


@contextmanager
def _running(engine: Postgres | Valkey, folder: Path) -> Iterator[None]:
    engine.prepare()
    log = folder / f"{engine.name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(engine.command(), stdout=output, stderr=output, cwd=folder)  # noqa: S603
    try:
        deadline = time.monotonic() + _PATIENCE
        while not engine.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise EngineFailed(f"{engine.name} did not start; see {log}")
            time.sleep(0.02)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=_PATIENCE)
