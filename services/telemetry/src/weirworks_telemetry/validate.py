"""The rules of requests that a type cannot say; every violation is named, up to a few dozen."""

import uuid
from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from weirworks.telemetry.v1.event_pb2 import Event
from weirworks.telemetry.v1.series_pb2 import Series
from weirworks_rpc import InvalidFields, Violation
from weirworks_rpc.requests import moment, refuse

MAX_EVENTS = 10_000
MAX_SAMPLES = 100_000
_AHEAD = timedelta(minutes=5)
_ENOUGH = 32


def check_events(events: list[Event], now: datetime, retention: timedelta) -> None:
    """Raises InvalidFields."""
    problems: list[Violation] = []
    if not 1 <= len(events) <= MAX_EVENTS:
        problems.append(Violation("events", f"{len(events)} given; 1 to {MAX_EVENTS}"))
    for position, event in enumerate(events[:MAX_EVENTS]):
        problems += [Violation(f"events[{position}].{field}", rule) for field, rule in _event(event, now, retention)]
        if len(problems) >= _ENOUGH:
            break
    refuse(problems)


def check_series(series: Series, step: timedelta, now: datetime, retention: timedelta) -> None:
    """Raises InvalidFields."""
    problems: list[Violation] = []
    if not series.model or series.model == "*" or "\0" in series.model:
        problems.append(Violation("series.model", "must be the name of one model"))
    if series.HasField("step") and series.step.seconds + series.step.nanos / 1e9 != step.total_seconds():
        problems.append(Violation("series.step", f"must be {step.total_seconds():g} s, the server's own"))
    if not 1 <= len(series.samples) <= MAX_SAMPLES:
        problems.append(Violation("series.samples", f"{len(series.samples)} given; 1 to {MAX_SAMPLES}"))
    for position, sample in enumerate(series.samples[:MAX_SAMPLES]):
        place = f"series.samples[{position}]"
        problems += [Violation(f"{place}.start_time", rule) for rule in _time(sample.start_time, now, retention)]
        counts = (sample.arrivals, sample.cache_hits, sample.errors)
        if not all(0 <= count < 1e15 for count in counts):
            problems.append(Violation(place, "counts must be finite and not negative"))
        if len(problems) >= _ENOUGH:
            break
    refuse(problems)


def _event(event: Event, now: datetime, retention: timedelta) -> list[tuple[str, str]]:
    problems = []
    try:
        uuid.UUID(event.id)
    except ValueError:
        problems.append(("id", "must be a UUID"))
    if event.WhichOneof("kind") is None:
        problems.append(("kind", "must be set"))
    problems += [("event_time", rule) for rule in _time(event.event_time, now, retention)]
    return problems


def _time(time: Timestamp, now: datetime, retention: timedelta) -> list[str]:
    try:
        when = moment(time, "")
    except InvalidFields as error:
        return [violation.description for violation in error.violations]
    if when > now + _AHEAD:
        return ["lies in the future"]
    if when < now - retention:
        return [f"is older than the retention of {retention.days} days"]
    return []
