"""`weir demo`."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path

import click
from weirworks_engines import EngineFailed

from weirworks_cli.output import FAILED, fail, leaves_of, say
from weirworks_cli.suite.child import ChildFailed

_SHORTEST = 40.0
_INTERRUPTED = 130
_models = click.Path(file_okay=False, path_type=Path)
_file = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog="Example: weir demo --day 120")
@click.option("--day", default=300.0, show_default=True, help="Seconds that the recorded day takes; it runs twice.")
@click.option("--keep", is_flag=True, help="Leave the suite running at the end and print its addresses.")
@click.option("--seed", default=11, show_default=True, help="Seed of the day's arrivals.")
@click.option("--models", type=_models, default=Path("models"), show_default=True, help="Model repository.")
@click.option("--chart", type=_file, default=Path("out/demo.png"), show_default=True, help="Picture of the day.")
@click.option("--report", type=_file, help="Where to write the facts as JSON.")
@click.pass_obj
def demo(context: str, day: float, keep: bool, seed: int, models: Path, chart: Path, report: Path | None) -> None:
    """Show the main job on real photos and text, and a recorded day in fast time."""
    try:
        # Here, because it needs packages that only the extra `demo` brings.
        from weirworks_cli.demo.story import Story, StoryOptions
    except ModuleNotFoundError as missing:
        fail(f"the demo needs the package {missing.name}; install it with: make setup")
    if not (models / "lite0").is_dir():
        fail(f"there are no models at {models}; build them with: make models")
    if day < _SHORTEST:
        fail(f"a day shorter than {_SHORTEST:g} s is over before a replica can start")
    story = Story(StoryOptions(context, day, keep, seed, models.resolve(), chart, report))
    try:
        code = asyncio.run(_interruptible(story.tell()))
    except* (ChildFailed, EngineFailed) as failures:
        code = FAILED
        for failure in leaves_of(failures):
            say(str(failure))
    sys.exit(code)


async def _interruptible(telling: Coroutine[None, None, int]) -> int:
    task = asyncio.ensure_future(telling)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return _INTERRUPTED
