"""What is written: rows by table, as tuples in the order of the table's columns."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

EVENTS = ("decision_events", "inference_events", "scaling_events")
STREAMS = ("spans", "metric_points", "log_records")
TABLES = (*EVENTS, *STREAMS)
# The first column of every table is the time that its partitions go by.
Row = tuple[Any, ...]


@dataclass(slots=True)
class Batch:
    """Rows that are committed together."""

    rows: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, table: str, row: Row) -> None:
        """Adds one row."""
        self.rows.setdefault(table, []).append(row)

    def extend(self, other: "Batch") -> None:
        """Adds the rows of another batch."""
        for table, rows in other.rows.items():
            self.rows.setdefault(table, []).extend(rows)

    def __len__(self) -> int:
        return sum(len(rows) for rows in self.rows.values())

    def days(self) -> Iterable[tuple[str, datetime]]:
        """(table, time) of every row."""
        return ((table, row[0]) for table, rows in self.rows.items() for row in rows)
