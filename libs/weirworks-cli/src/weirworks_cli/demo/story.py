"""The demo from beginning to end."""

import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from weirworks_client import WeirClient

from weirworks_cli.context import remove_context, write_context
from weirworks_cli.demo.backends import backend_environment, real_keys
from weirworks_cli.demo.chart import draw
from weirworks_cli.demo.day import (
    CPU_SHARE,
    DayResult,
    RunningDay,
    day_environment,
    day_start,
    import_history,
    measure_capacity,
    peak_rate,
)
from weirworks_cli.demo.panel import show_day
from weirworks_cli.demo.photos import crops, demo_photos
from weirworks_cli.demo.report import facts_of, print_day_table, print_decisions
from weirworks_cli.demo.residency import idle_environment, show_residency
from weirworks_cli.demo.showcase import show_cache, show_photos, show_prompts
from weirworks_cli.demo.standin import Standins, running_standins
from weirworks_cli.demo.trace import fast_day
from weirworks_cli.output import say
from weirworks_cli.suite.suite import Suite, SuiteOptions

_STEPS = 150
_CROPS = 240


@dataclass(frozen=True, slots=True)
class StoryOptions:
    """What the command was asked for."""

    context: str
    day: float
    keep: bool
    seed: int
    models: Path
    chart: Path
    report: Path | None


class Story:
    """Tells the demo; no process is left when it ends, however it ends."""

    def __init__(self, options: StoryOptions) -> None:
        self._options = options
        # Into a file or a pipe as wide as the tables are.
        self._console = Console(highlight=False, width=None if sys.stdout.isatty() else 118)
        self._folder = Path(tempfile.mkdtemp(prefix="weir-demo-"))

    async def tell(self) -> int:
        """Runs the whole demo; returns the exit code."""
        try:
            async with running_standins() as standins:
                return await self._tell(standins)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _tell(self, standins: Standins) -> int:
        console, options = self._console, self._options
        facts: dict[str, Any] = {}
        capacity = await self._show(standins, facts)
        day = fast_day(options.day, min(_STEPS, int(options.day)))
        console.rule("5  A recorded day in fast time")
        console.print(
            f"24 recorded hours in {day.seconds:g} s, twice: the same arrivals without and with forecasting.\n"
            f"Each local replica is held to {CPU_SHARE:.0%} of a core, as a pod's CPU limit would, and then carries "
            f"{capacity:.1f} pictures/s (measured just now)."
        )
        results = []
        for forecasting in (False, True):
            environment = day_environment(day, capacity, forecasting)
            async with self._suite("forecasting" if forecasting else "reactive", standins, environment) as suite:
                console.print(f"[bold]{'With' if forecasting else 'Without'} forecasting[/bold]")
                running = RunningDay(day, peak_rate(capacity), crops(demo_photos(), _CROPS, options.seed), options.seed)
                results.append(await self._run_day(suite, running, forecasting, capacity))
                if forecasting:
                    self._conclude(results, running, capacity, facts)
                    if options.keep:
                        await self._keep(suite)
        return 0 if facts["asExpected"] else 1

    async def _show(self, standins: Standins, facts: dict[str, Any]) -> float:
        """Parts 1 to 4; returns the capacity of one replica, in pictures per second."""
        async with self._suite("showcase", standins, {}) as suite:
            facts.update(await self._showcase(suite.context.address("router")))
        async with self._suite("residency", standins, idle_environment()) as suite:
            self._console.rule("4  Models that load themselves and leave")
            async with WeirClient(suite.context.address("router")) as weir:
                facts["residency"] = await show_residency(weir, self._console)
        async with self._suite("capacity", standins, {"WEIRWORKS_INFERENCE_CPU_SHARE": str(CPU_SHARE)}) as suite:
            facts["capacity"] = await self._capacity(suite.context.address("router"))
        return float(facts["capacity"])

    async def _showcase(self, router: str) -> dict[str, Any]:
        console = self._console
        async with WeirClient(router) as weir:
            console.rule("1  Photos through the router to a local ONNX model")
            shown = await show_photos(weir, console)
            console.rule("2  The same photos from the cache")
            pairs = await show_cache(weir, console, shown)
            console.rule("3  Prompts to language models")
            keys = real_keys()
            console.print(
                f"Providers: {', '.join(keys)} from the environment."
                if keys
                else "The language models are stand-ins that this demo started: small, large, and bargain, "
                "which fails now and then."
            )
            prompts = await show_prompts(weir, console)
        photos = {
            each.name: [[label.index, label.label, label.probability] for label in each.classes.labels]
            for each in shown
        }
        return {
            "photos": photos,
            "photosAsExpected": all(each.expected for each in shown),
            "cacheSpeedUp": {name: model / cached for name, model, cached in pairs},
            "prompts": prompts,
        }

    async def _capacity(self, router: str) -> float:
        pictures = crops(demo_photos(), 24, self._options.seed)
        async with WeirClient(router) as weir:
            # The first calls load the model and are not counted.
            await measure_capacity(weir, pictures, 2)
            return await measure_capacity(weir, pictures, 5)

    async def _run_day(self, suite: Suite, running: RunningDay, forecasting: bool, capacity: float) -> DayResult:
        context = suite.context
        start = day_start(running.day.step)
        peak = peak_rate(capacity)
        await import_history(context.address("telemetry"), running.day, peak, start, self._options.seed)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(show_day(self._console, running))
            result = await running.run(context.address("router"), context.address("autoscaler"), forecasting, start)
            watching.cancel()
        return result

    def _conclude(self, results: list[DayResult], running: RunningDay, capacity: float, facts: dict[str, Any]) -> None:
        console, options = self._console, self._options
        print_decisions(console, results[-1], running.day)
        print_day_table(console, results)
        draw(options.chart, running.day, results, capacity)
        console.print(f"Chart: {options.chart}")
        off, on = (facts_of(result) for result in results)
        facts.update(reactive=off, forecasting=on)
        facts["asExpected"] = facts["photosAsExpected"] and on["late"] < off["late"] and on["mostReplicas"] == 4
        if not facts["asExpected"]:
            console.print("[red]Not all was as expected: see the tables above.[/red]")
        if options.report is not None:
            options.report.write_text(json.dumps(facts, indent=2, ensure_ascii=False), "utf-8")

    async def _keep(self, suite: Suite) -> None:
        context = suite.context
        write_context(self._options.context, context)
        self._console.print("The suite keeps running; end it with Ctrl-C. Its addresses:")
        for name, address in context.addresses.items():
            self._console.print(f"  {name:<11} {address:<21} metrics http://{context.metrics[name]}/metrics")
        try:
            await asyncio.Event().wait()
        finally:
            remove_context(self._options.context)

    @asynccontextmanager
    async def _suite(self, name: str, standins: Standins, environment: Mapping[str, str]) -> AsyncIterator[Suite]:
        data = self._folder / name
        options = SuiteOptions(
            data,
            self._options.models,
            environment={**backend_environment(standins, data), **environment},
        )
        suite = Suite(options, say)
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(suite.run())
            starting = group.create_task(suite.started.wait())
            await asyncio.wait({running, starting}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                starting.cancel()
                return
            say(f"all services ready after {timedelta(seconds=round(time.monotonic() - started))}")
            try:
                yield suite
            finally:
                suite.stop()
