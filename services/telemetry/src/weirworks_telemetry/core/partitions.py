"""Which daily partitions to make and which to drop."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_NAME = re.compile(r"(?P<table>[a-z_]+)_p(?P<day>\d{8})")


@dataclass(frozen=True, slots=True)
class Partition:
    """One day of one table, in UTC."""

    table: str
    day: date

    @property
    def name(self) -> str:
        """`decision_events_p20261121`."""
        return f"{self.table}_p{self.day:%Y%m%d}"

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """First moment, and the first moment after it."""
        start = datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)
        return start, start + timedelta(days=1)


def parse(name: str) -> Partition | None:
    """The partition of a table name, or None when it is not one of ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    day = datetime.strptime(match["day"], "%Y%m%d").replace(tzinfo=UTC)
    return Partition(match["table"], day.date())


def ahead(tables: Iterable[str], now: datetime) -> list[Partition]:
    """Today's and tomorrow's partition of every table, so that midnight finds its table ready."""
    today = now.astimezone(UTC).date()
    return [Partition(table, today + timedelta(days=days)) for table in tables for days in (0, 1)]


def expired(names: Iterable[str], now: datetime, retention: timedelta) -> list[Partition]:
    """The partitions that lie wholly before the retention's start."""
    limit = now - retention
    found = (parse(name) for name in names)
    return [partition for partition in found if partition is not None and partition.bounds[1] <= limit]
