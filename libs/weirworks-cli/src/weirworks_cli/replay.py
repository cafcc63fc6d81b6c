"""`weir scalers replay`: what the autoscaler would have done on recorded load."""

import csv
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from weirworks_cli.calls import output
from weirworks_cli.output import USAGE, fail, print_json, print_table, say
from weirworks_cli.recorded import Recorded, Unreadable, read

_FIELDS = ("time", "load", "forecast", "replicas", "ready", "requests", "late", "reason", "message")


def _seconds(_context: click.Context, _option: click.Parameter, value: float | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


@click.command(epilog="Example: weir scalers replay load.csv --capacity 40 --lead-time 90 --png replay.png")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--capacity", type=float, required=True, help="Requests per second that one replica carries.")
@click.option("--service-time", default=1.0, callback=_seconds, help="Seconds that a request holds its place.")
@click.option("--tolerance", default=1.0, callback=_seconds, help="Seconds that a request may wait.")
@click.option("--late", default=0.01, show_default=True, help="Share of the requests that may wait longer.")
@click.option("--lead-time", default=60.0, callback=_seconds, help="Seconds from a decision to a ready replica.")
@click.option("--min", "least", default=1, show_default=True, help="Fewest replicas.")
@click.option("--max", "most", default=100, show_default=True, help="Most replicas.")
@click.option("--interval", default=15.0, callback=_seconds, help="Seconds between decisions.")
@click.option("--step", type=float, callback=_seconds, help="Seconds of a row, in a CSV without times.")
@click.option("--warmup", default=0.0, callback=_seconds, help="Seconds to learn from and leave out of the figures.")
@click.option("--csv", "table", type=click.Path(dir_okay=False, path_type=Path), help="Writes every decision.")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Draws load, forecast and replicas.")
@output
def replay(file: Path, table: Path | None, png: Path | None, warmup: timedelta, output: str, **options: Any) -> None:
    """Replay FILE through the decisions of the autoscaler, beside the same target without forecasts.

    FILE is a CSV with a column load (requests per second) or requests (a count) and usually time, or what
    Prometheus answered to a range query. The Deployment is simulated: one queue, replicas that take the lead time
    to start.
    """
    try:
        recorded = read(file, options.pop("step"))
    except Unreadable as error:
        fail(f"{file}: {error}", USAGE)
    results = {name: _run(recorded, options, name == "forecasting") for name in ("forecasting", "no forecasting")}
    results = {name: result.since(warmup) for name, result in results.items()}
    if table is not None:
        _write(table, results["forecasting"])
        say(f"{table} written")
    if png is not None:
        # Matplotlib comes with the extra `demo` and takes a second.
        from weirworks_cli.replay_chart import draw

        draw(png, results)
        say(f"{png} written")
    _show(results, output)


def _run(recorded: Recorded, options: dict[str, Any], forecasting: bool) -> Any:
    found = entry_points(group="weirworks.replay")
    if not found:
        fail("the package weirworks-autoscaler is not installed")
    run: Callable[..., Any] = next(iter(found)).load()
    target = {
        "capacity": options["capacity"],
        "utilization": 1.0,
        "service_time": options["service_time"],
        "tolerance": options["tolerance"],
        "max_late_ratio": options["late"],
        "lead_time": options["lead_time"],
        "min_replicas": options["least"],
        "max_replicas": options["most"],
    }
    try:
        return run(target, recorded.loads, recorded.step, recorded.start, options["interval"], forecasting)
    except ValidationError as error:
        fail("; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()), USAGE)


def _show(results: dict[str, Any], output: str) -> None:
    if output == "json":
        print_json(
            {
                name: {
                    "lateRatio": result.late_ratio,
                    "replicaHours": result.replica_hours,
                    "changes": result.changes,
                    "mostReplicas": result.most,
                }
                for name, result in results.items()
            }
        )
        return
    rows = [
        (name, f"{100 * each.late_ratio:.3f} %", f"{each.replica_hours:.1f}", each.changes, each.most)
        for name, each in results.items()
    ]
    print_table(["rule", "late", "replica-hours", "changes", "most"], rows)


def _write(path: Path, result: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_FIELDS)
        for tick in result.ticks:
            writer.writerow([getattr(tick, field) for field in _FIELDS])
