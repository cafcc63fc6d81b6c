"""Starts the suite in the order of its needs, looks after it, and stops it in reverse."""

import asyncio
import fcntl
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from weirworks_engines import Postgres, Valkey
from weirworks_engines.running import new_socket_folder

from weirworks_cli.context import Context
from weirworks_cli.suite.child import Child, ChildFailed, Spec
from weirworks_cli.suite.replicas import Replicas


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """What may be chosen; `environment` adds service settings to those of the caller."""

    data: Path
    models: Path
    replicas: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)


class Suite:
    """Five services and two engines. `run` returns after `stop`, when no process is left."""

    def __init__(self, options: SuiteOptions, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._stack = ExitStack()
        self._children: list[Child] = []
        self._stopping = asyncio.Event()
        self.started = asyncio.Event()
        self.replicas = Replicas(options.data / "replicas", self._replica, say)
        self._replicating: asyncio.Task[None] | None = None
        self._lifeline = -1
        self._postgres_url = ""
        self._redis_url = ""

    @property
    def context(self) -> Context:
        """Where everything is."""
        services = [child for child in self._children if child.spec.port_variable]
        return Context(
            pid=os.getpid(),
            data=str(self._options.data),
            addresses={child.spec.name: child.address for child in services},
            metrics={child.spec.name: child.metrics for child in services},
        )

    async def run(self) -> None:
        """Runs the suite until `stop`. Raises ChildFailed or EngineFailed when it does not come up."""
        self._prepare()
        with self._stack:
            async with asyncio.TaskGroup() as group:
                try:
                    await self._start(group)
                    self.started.set()
                    await self._stopping.wait()
                finally:
                    await asyncio.shield(self._end())

    def stop(self) -> None:
        """Ends `run`."""
        self._stopping.set()

    async def _start(self, group: asyncio.TaskGroup) -> None:
        sockets = new_socket_folder()
        self._stack.callback(shutil.rmtree, sockets, ignore_errors=True)
        data = self._options.data
        postgres, valkey = Postgres(data / "postgres", sockets), Valkey(data / "valkey", sockets)
        self._postgres_url = self._given("postgres") or postgres.url
        self._redis_url = self._given("redis") or valkey.url
        engines = []
        if not self._given("postgres"):
            engines.append(self._add(group, self._engine(postgres, signal.SIGINT)))
        if not self._given("redis"):
            engines.append(self._add(group, self._engine(valkey, signal.SIGTERM)))
        for child in engines:
            await child.wait_ready()
        stores = [self._add(group, self._service(name)) for name in ("telemetry", "cache")]
        for child in stores:
            await child.wait_ready()
        self.replicas.prepare(self._options.replicas)
        self._replicating = group.create_task(self.replicas.run())
        autoscaler = self._add(group, self._service("autoscaler"))
        await self.replicas.wait_ready()
        await autoscaler.wait_ready()
        # Last, so that it knows the replicas from its first call on.
        await self._add(group, self._service("router")).wait_ready()

    async def _end(self) -> None:
        # Callers first, then what they call: events that wait still find telemetry.
        for names in (("router", "autoscaler"), ("inference",), ("cache",), ("telemetry",), ("valkey", "postgres")):
            if names == ("inference",) and self._replicating is not None:
                self.replicas.stop()
                await self._replicating
            await asyncio.gather(*(child.stop() for child in self._children if child.spec.name in names))

    def _add(self, group: asyncio.TaskGroup, spec: Spec) -> Child:
        child = Child(spec, self._say)
        self._children.append(child)
        group.create_task(child.run())
        return child

    def _engine(self, engine: Postgres | Valkey, stop: signal.Signals) -> Spec:
        engine.prepare()
        log = self._options.data / "logs" / f"{engine.name}.log"
        return Spec(engine.name, engine.command(), log, stop_signal=stop, probe=engine.is_ready)

    def _service(self, name: str) -> Spec:
        own: dict[str, dict[str, str]] = {
            "telemetry": {"postgres_url": self._postgres_url},
            "cache": {"postgres_url": self._postgres_url, "redis_url": self._redis_url},
            "router": {
                "cache": self._address("cache"),
                "endpoints_file": str(self._options.data / "replicas" / "endpoints.json"),
            },
            "autoscaler": {"scale_dir": str(self._options.data / "replicas")},
        }
        return self._spec(name, name, own.get(name, {}))

    def _replica(self, number: int) -> Spec:
        own = {
            "models": str(self._options.models),
            "optimized_dir": str(self._options.data / "optimized"),
            "postgres_url": self._postgres_url,
        }
        return self._spec("inference", f"inference-{number}", own)

    def _spec(self, service: str, name: str, own: Mapping[str, str]) -> Spec:
        prefix = f"WEIRWORKS_{service.upper()}_"
        shared = {
            "data_dir": str(self._options.data / name),
            "hash_secret_file": str(self._options.data / "hash-secret"),
            "telemetry": self._address("telemetry") if service not in ("telemetry", "cache") else "",
        }
        environment = {
            **{f"{prefix}{field.upper()}": value for field, value in {**shared, **own}.items()},
            "WEIRWORKS_LIFELINE": str(self._lifeline),
            # Frees large buffers for reuse instead of handing each back to the kernel and asking anew.
            "MALLOC_MMAP_THRESHOLD_": "1073741824",
            "MALLOC_TRIM_THRESHOLD_": "1073741824",
            "MALLOC_TOP_PAD_": "67108864",
            # One thread per process runs models; BLAS pools beside it would only fight over the cores.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            **self._options.environment,
        }
        command = (sys.executable, "-m", f"weirworks_{service}.main")
        log = self._options.data / "logs" / f"{name}.log"
        return Spec(name, command, log, environment, (self._lifeline,), port_variable=f"{prefix}PORT")

    def _address(self, name: str) -> str:
        return next((child.address for child in self._children if child.spec.name == name), "")

    def _given(self, engine: str) -> str:
        """A server of the operator's own, from the settings of the services that use it."""
        variable = {"postgres": "WEIRWORKS_TELEMETRY_POSTGRES_URL", "redis": "WEIRWORKS_CACHE_REDIS_URL"}[engine]
        return os.environ.get(variable, "")

    def _prepare(self) -> None:
        data = self._options.data
        data.mkdir(parents=True, exist_ok=True)
        self._stack.callback(self._lock(data).close)
        secret = data / "hash-secret"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_bytes(secrets.token_bytes(32))
        self._lifeline, write_end = os.pipe()
        self._stack.callback(os.close, self._lifeline)
        self._stack.callback(os.close, write_end)

    @staticmethod
    def _lock(data: Path) -> IO[str]:
        lock = (data / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise ChildFailed(f"another suite uses {data}; choose another folder with --data") from None
        return lock
