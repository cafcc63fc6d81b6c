"""Reads events and the load history."""

import base64
from datetime import datetime, timedelta

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool
from weirworks.telemetry.v1.event_pb2 import Event
from weirworks.telemetry.v1.series_pb2 import Sample, Series
from weirworks_rpc import InvalidFields, Violation

from weirworks_telemetry.convert import COLUMNS, event_of
from weirworks_telemetry.validate import MAX_SAMPLES

Pool = AsyncConnectionPool[psycopg.AsyncConnection[TupleRow]]
_SERIES = """
SELECT start_time, sum(arrivals), sum(cache_hits), sum(errors), sum(latency_seconds)
FROM load_history
WHERE (model = %(model)s OR %(model)s = '*') AND start_time >= %(start)s AND start_time < %(end)s
GROUP BY start_time ORDER BY start_time LIMIT %(limit)s
"""
_IMPORT = """
INSERT INTO load_history VALUES (%s, date_bin(%s, %s, 'epoch'), %s, %s, %s, %s)
ON CONFLICT (model, start_time) DO UPDATE SET
  arrivals = excluded.arrivals, cache_hits = excluded.cache_hits,
  errors = excluded.errors, latency_seconds = excluded.latency_seconds
"""


class Query:
    """What TelemetryService reads, and the import of history."""

    def __init__(self, pool: Pool, step: timedelta) -> None:
        self._pool = pool
        self._step = step

    async def series(self, model: str, start: datetime, end: datetime) -> Series:
        """The load of a model, or of all for `*`. Raises InvalidFields when it is too long."""
        values = {"model": model, "start": start, "end": end, "limit": MAX_SAMPLES + 1}
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_SERIES, values)).fetchall()
        if len(rows) > MAX_SAMPLES:
            raise InvalidFields([Violation("start_time", f"more than {MAX_SAMPLES} samples; ask for a shorter time")])
        series = Series(model=model)
        series.step.FromTimedelta(self._step)
        for time, arrivals, hits, errors, latency in rows:
            sample = Sample(arrivals=arrivals, cache_hits=hits, errors=errors)
            sample.start_time.FromDatetime(time)
            sample.latency_sum.FromTimedelta(timedelta(seconds=latency))
            series.samples.append(sample)
        return series

    async def models(self) -> list[str]:
        """Models with a history, by name."""
        async with self._pool.connection() as connection:
            rows = await (await connection.execute("SELECT DISTINCT model FROM load_history ORDER BY 1")).fetchall()
        return [row[0] for row in rows]

    async def import_series(self, series: Series) -> None:
        """Writes samples over those of the same model and start."""
        rows = [
            (
                series.model,
                self._step,
                sample.start_time.ToDatetime().astimezone(),
                sample.arrivals,
                sample.cache_hits,
                sample.errors,
                sample.latency_sum.seconds + sample.latency_sum.nanos / 1e9,
            )
            for sample in series.samples
        ]
        async with self._pool.connection() as connection, connection.cursor() as cursor:
            await cursor.executemany(_IMPORT, rows)

    async def events(self, kind: str, start: datetime, size: int, token: str) -> tuple[list[Event], str]:
        """A page of events at or after `start`, newest first, and the token of the next page."""
        table, columns = COLUMNS[kind]
        before = _parse_token(token)
        query = sql.SQL(
            "SELECT event_time, id, tenant, {} FROM {} WHERE event_time >= %s "
            "AND (%s::timestamptz IS NULL OR (event_time, id) < (%s::timestamptz, %s::uuid)) "
            "ORDER BY event_time DESC, id DESC LIMIT %s"
        ).format(sql.SQL(", ").join(sql.Identifier(name) for name in columns), sql.Identifier(table))
        time, ident = before if before else (None, None)
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(query, (start, time, time, ident, size + 1))).fetchall()
        page = [event_of(kind, row) for row in rows[:size]]
        more = _token(rows[size - 1]) if len(rows) > size else ""
        return page, more


def _token(row: TupleRow) -> str:
    return base64.urlsafe_b64encode(f"{row[0].isoformat()}|{row[1]}".encode()).decode()


def _parse_token(token: str) -> tuple[datetime, str] | None:
    if not token:
        return None
    try:
        time, _, ident = base64.urlsafe_b64decode(token.encode()).decode().partition("|")
        return datetime.fromisoformat(time), ident
    except ValueError:
        raise InvalidFields([Violation("page_token", "must be the next_page_token of an answer")]) from None
