"""Recorded load from a file: a CSV, or a range that Prometheus answered."""

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

_RATES = ("load", "rate", "rps", "requests_per_second")
_COUNTS = ("requests", "arrivals", "count")
_START = datetime(2026, 1, 1, tzinfo=UTC)


class Unreadable(ValueError):
    """The text says what is wrong, and where."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Requests per second of each step from `start` on."""

    start: datetime
    step: timedelta
    loads: list[float]


def read(path: Path, step: timedelta | None) -> Recorded:
    """Raises Unreadable. `step` is for files without times; with times it is their smallest distance."""
    text = path.read_text("utf-8", errors="replace")
    recorded = _prometheus(text) if text.lstrip().startswith("{") else _csv(text, step)
    if not recorded.loads:
        raise Unreadable("there is no load in the file")
    return recorded


def _csv(text: str, step: timedelta | None) -> Recorded:
    reader = csv.DictReader(text.splitlines())
    columns = [name.strip().lower() for name in reader.fieldnames or []]
    reader.fieldnames = columns
    value = next((name for name in (*_RATES, *_COUNTS) if name in columns), None)
    if value is None:
        raise Unreadable(f"no column of {', '.join((*_RATES, *_COUNTS))}; there are {', '.join(columns)}")
    time = next((name for name in ("time", "timestamp", "start_time") if name in columns), None)
    if time is None and step is None:
        raise Unreadable("no column time, so say with --step how long a row is")
    values: list[float] = []
    times: list[float] = []
    for row in reader:
        try:
            values.append(float(row[value]))
            if time is not None:
                times.append(_moment(row[time]))
        except (TypeError, ValueError) as error:
            raise Unreadable(f"line {reader.line_num}: {error}") from error
    if time is None:
        assert step is not None
        return Recorded(_START, step, _rates(values, step.total_seconds(), value))
    return _regular(times, values, value)


def _prometheus(text: str) -> Recorded:
    """The answer of `/api/v1/query_range`; several series are added up. Values are requests per second."""
    try:
        series = json.loads(text)["data"]["result"]
        points = [(float(at), float(value)) for each in series for at, value in each["values"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable("not the answer of Prometheus to a range query") from error
    return _regular([at for at, _ in points], [value for _, value in points], "load")


def _regular(times: list[float], values: list[float], column: str) -> Recorded:
    """Every step from the first to the last; one without a row had no load, equal times add up."""
    distinct = sorted(set(times))
    if len(distinct) < 2:
        raise Unreadable("fewer than two times")
    step = min(there - here for here, there in pairwise(distinct))
    loads = [0.0] * (round((distinct[-1] - distinct[0]) / step) + 1)
    if len(loads) > 50 * len(distinct) + 1000:
        raise Unreadable(f"times lie {step:g} s apart once, but seldom: not a series of steps")
    for at, value in zip(times, values, strict=True):
        loads[round((at - distinct[0]) / step)] += value
    start = datetime.fromtimestamp(distinct[0], UTC)
    return Recorded(start, timedelta(seconds=step), _rates(loads, step, column))


def _rates(values: list[float], step: float, column: str) -> list[float]:
    if any(not 0 <= value < float("inf") for value in values):
        raise Unreadable("a load is negative or not a number")
    return [value / step for value in values] if column in _COUNTS else values


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
