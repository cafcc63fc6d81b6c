"""One service as a process: start, say `ready`, wait for a signal, drain, exit code.

A service hands over an `App`; everything around it (signals, logs, traces, the Prometheus page, the
lifeline) is the same for all and lives here.
"""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry
from pydantic import ValidationError
from weirworks_observe.logs import set_up_logs
from weirworks_observe.metrics import new_registry, serve_metrics
from weirworks_rpc import Server

from weirworks_service.lifeline import watch_lifeline
from weirworks_service.settings import ServiceSettings

log = logging.getLogger(__name__)
FAILED, USAGE = 1, 2
# Long enough for a last batch of events; what does not get out stays in the spool.
_LAST_SENDS = 5.0
# Objects made before the collector looks for cycles among them; a request makes hundreds and leaves none.
_YOUNG = 20_000


class App(Protocol):
    """What a service builds: everything that runs, wired together."""

    server: Server

    async def start(self, stack: AsyncExitStack) -> None:
        """Starts everything but the server; what must be closed goes on the stack."""

    async def serve(self) -> None:
        """Runs the background loops until `stop`, and keeps health true."""

    def stop(self) -> None:
        """Ends `serve`, which may take a moment to send what waits."""


S = TypeVar("S", bound=ServiceSettings)


def run_service(
    name: str, settings_type: type[S], build: Callable[[S, CollectorRegistry], App], argv: list[str]
) -> int:
    """Runs the service until SIGTERM or SIGINT; returns the exit code.

    `--show-settings` prints the effective settings and ends.
    """
    unknown = [argument for argument in argv if argument != "--show-settings"]
    if unknown:
        sys.stderr.write(f"weirworks-{name}: unknown argument {unknown[0]!r}; only --show-settings is known\n")
        return USAGE
    try:
        settings = settings_type.load()
    except ValidationError as error:
        for problem in error.errors():
            field = "_".join(str(part) for part in problem["loc"]).upper()
            prefix = settings_type.model_config.get("env_prefix", "")
            sys.stderr.write(f"weirworks-{name}: {prefix}{field}: {problem['msg']}\n")
        return USAGE
    if "--show-settings" in argv:
        sys.stdout.writelines(f"{key}={value}\n" for key, value in settings.effective().items())
        return 0
    set_up_logs(name, settings.log_level)
    return asyncio.run(_run(name, settings, build))


async def _run(name: str, settings: S, build: Callable[[S, CollectorRegistry], App]) -> int:
    registry = new_registry()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    watch_lifeline(stopping.set)
    async with AsyncExitStack() as stack:
        if settings.telemetry:
            # The exporter takes 0.1 s of CPU to import, which a service without telemetry need not spend.
            from weirworks_observe.traces import set_up_traces

            provider = set_up_traces(name, settings.telemetry, settings.trace_ratio)
            stack.callback(provider.shutdown)
        try:
            app = build(settings, registry)
            metrics_port = serve_metrics(registry, settings.host, settings.metrics_port)
        except (OSError, RuntimeError, ValueError) as error:
            # A taken port, a secret that cannot be read, a folder in use: for the operator, not for a debugger.
            sys.stderr.write(f"weirworks-{name}: cannot start: {error}\n")
            return FAILED
        await app.start(stack)
        await app.server.start()
        # What the start made stays for good: the collector need not look at it again for each few hundred objects.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(app.serve())
            await app.server.set_serving(True)
            log.info("ready", extra={"settings": settings.effective()})
            sys.stdout.write(f"{name} {app.server.address} ready metrics={settings.host}:{metrics_port}\n")
            sys.stdout.flush()
            await stopping.wait()
            log.info("draining")
            await app.server.drain()
            app.stop()
            try:
                async with asyncio.timeout(_LAST_SENDS):
                    await serving
            except TimeoutError:
                log.warning("stopped with work left")
    return 0
