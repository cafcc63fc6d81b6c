"""`weir up`, `down` and `run`: what starts and stops services."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import click
from weirworks_engines import EngineFailed, running_engines

from weirworks_cli.context import NoContext, context_file, read_context, remove_context, write_context
from weirworks_cli.output import FAILED, fail, leaves_of, say
from weirworks_cli.suite.child import ChildFailed
from weirworks_cli.suite.suite import Suite, SuiteOptions

SERVICES = ("router", "inference", "cache", "telemetry", "autoscaler")
_DOWN_PATIENCE = 90.0


def data_folder(context: str) -> Path:
    """Where a context's suite keeps its data unless told otherwise."""
    return context_file(context).parent / context


@click.command(epilog="Example: weir up --replicas 2")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Folder for data and logs.")
@click.option(
    "--models",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("models"),
    show_default=True,
    help="Model repository; make models builds one.",
)
@click.option("--replicas", default=1, show_default=True, help="Inference processes at the start.")
@click.pass_obj
def up(context: str, data: Path | None, models: Path, replicas: int) -> None:
    """Start the suite on loopback and look after it until Ctrl-C."""
    options = SuiteOptions((data or data_folder(context)).resolve(), models.resolve(), replicas)
    if not options.models.is_dir():
        fail(f"there is no model repository at {models}; build one with: make models")
    sys.exit(asyncio.run(_up(context, options)))


async def _up(context: str, options: SuiteOptions) -> int:
    suite = Suite(options, say)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, suite.stop)
    failed = False
    try:
        async with asyncio.TaskGroup() as group:
            announcing = group.create_task(_announce(context, suite))
            await suite.run()
            announcing.cancel()
    except* (ChildFailed, EngineFailed) as failures:
        failed = True
        for failure in leaves_of(failures):
            say(str(failure))
    finally:
        remove_context(context)
    return FAILED if failed else 0


async def _announce(context: str, suite: Suite) -> None:
    await suite.started.wait()
    where = suite.context
    write_context(context, where)
    for name, address in where.addresses.items():
        print(f"{name:<11} {address:<21} metrics http://{where.metrics[name]}/metrics", flush=True)  # noqa: T201
    for replica in suite.replicas.ready:
        print(f"{'inference':<11} {replica.address:<21} metrics http://{replica.metrics}/metrics", flush=True)  # noqa: T201
    print("ready", flush=True)  # noqa: T201


@click.command(epilog="Example: weir down")
@click.pass_obj
def down(context: str) -> None:
    """Stop the suite that weir up started."""
    try:
        pid = read_context(context).pid
    except NoContext as error:
        fail(str(error))
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_PATIENCE
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        if time.monotonic() > deadline:
            fail(f"process {pid} does not end")
        time.sleep(0.1)


@click.command(epilog="Example: weir run router", context_settings={"ignore_unknown_options": True})
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run(context: str, service: str, arguments: tuple[str, ...]) -> None:
    """Run one service in the foreground, with embedded engines where it needs a store and is given none."""
    if not any(entry.name == service for entry in entry_points(group="weirworks.services")):
        fail(f"the package weirworks-{service} is not installed")
    command = [sys.executable, "-m", f"weirworks_{service}.main", *arguments]
    environment = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824", **os.environ}
    wanted = {
        "telemetry": {"WEIRWORKS_TELEMETRY_POSTGRES_URL": "postgres_url"},
        "cache": {"WEIRWORKS_CACHE_POSTGRES_URL": "postgres_url", "WEIRWORKS_CACHE_REDIS_URL": "redis_url"},
    }.get(service, {})
    missing = {variable: field for variable, field in wanted.items() if not environment.get(variable)}
    if not missing:
        os.execve(sys.executable, command, environment)  # noqa: S606
    folder = data_folder(context).with_name(f"{context}-run-{service}")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with running_engines(folder) as engines:
            environment.update({variable: getattr(engines, field) for variable, field in missing.items()})
            sys.exit(_foreground(command, environment))
    except EngineFailed as error:
        fail(str(error))


def _foreground(command: list[str], environment: dict[str, str]) -> int:
    process = subprocess.Popen(command, env=environment)  # noqa: S603
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.terminate())
    return process.wait()
