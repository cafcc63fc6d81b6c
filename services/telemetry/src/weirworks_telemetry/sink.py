"""PostgreSQL: bulk COPY into daily partitions, and the load history made in the same transaction.

Events go through a staging table and `ON CONFLICT DO NOTHING`, so an event that is sent again is not
stored again, and only rows that are new count in the load history.
"""

from datetime import UTC, date, datetime, timedelta

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from weirworks_telemetry.core.partitions import Partition, ahead, expired
from weirworks_telemetry.core.rows import EVENTS, STREAMS, TABLES, Batch, Row

Connection = psycopg.AsyncConnection[TupleRow]
_HISTORY = """
WITH new AS (
  INSERT INTO decision_events SELECT * FROM staged_decision_events ON CONFLICT DO NOTHING
  RETURNING model, event_time, kind, error, latency_seconds
), counted AS (
  INSERT INTO load_history
  SELECT model,
         date_bin(%(step)s, event_time, 'epoch'),
         count(*) FILTER (WHERE kind = 'inference'),
         count(*) FILTER (WHERE kind = 'cache'),
         count(*) FILTER (WHERE error <> ''),
         coalesce(sum(latency_seconds) FILTER (WHERE error = ''), 0)
  FROM new WHERE model <> '' GROUP BY 1, 2
  ON CONFLICT (model, start_time) DO UPDATE SET
    arrivals = load_history.arrivals + excluded.arrivals,
    cache_hits = load_history.cache_hits + excluded.cache_hits,
    errors = load_history.errors + excluded.errors,
    latency_seconds = load_history.latency_seconds + excluded.latency_seconds
)
SELECT count(*) FROM new
"""


class PostgresSink:
    """Writes batches and keeps the partitions."""

    def __init__(self, pool: AsyncConnectionPool[Connection], step: timedelta) -> None:
        self._pool = pool
        self._step = step
        self._days: set[tuple[str, date]] = set()

    async def write(self, batch: Batch) -> int:
        """Commits the batch; returns how many events were new. Raises psycopg.Error."""
        async with self._pool.connection() as connection:
            await self._make(
                {Partition(table, time.astimezone(UTC).date()) for table, time in batch.days()}, connection
            )
            async with connection.transaction():
                new = 0
                for table in EVENTS:
                    if rows := batch.rows.get(table):
                        new += await self._write_events(connection, table, rows)
                for table in STREAMS:
                    if rows := batch.rows.get(table):
                        await _copy(connection, table, rows)
                return new

    async def keep_partitions(self, now: datetime, retention: timedelta) -> list[str]:
        """Makes the partitions of today and tomorrow, drops those past retention and returns their names."""
        async with self._pool.connection() as connection:
            await self._make(set(ahead(TABLES, now)), connection)
            cursor = await connection.execute(
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
                "JOIN pg_class p ON p.oid = i.inhparent WHERE p.relname = ANY(%s)",
                (list(TABLES),),
            )
            gone = expired([row[0] for row in await cursor.fetchall()], now, retention)
            for partition in gone:
                await connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(partition.name)))
                self._days.discard((partition.table, partition.day))
            await connection.execute("DELETE FROM load_history WHERE start_time < %s", (now - retention,))
            return [partition.name for partition in gone]

    async def _write_events(self, connection: Connection, table: str, rows: list[Row]) -> int:
        staged = f"staged_{table}"
        await connection.execute(
            sql.SQL("CREATE TEMP TABLE {} (LIKE {}) ON COMMIT DROP").format(
                sql.Identifier(staged), sql.Identifier(table)
            )
        )
        await _copy(connection, staged, rows)
        if table == "decision_events":
            cursor = await connection.execute(_HISTORY, {"step": self._step})
            row = await cursor.fetchone()
            return int(row[0]) if row else 0
        cursor = await connection.execute(
            sql.SQL("INSERT INTO {} SELECT * FROM {} ON CONFLICT DO NOTHING").format(
                sql.Identifier(table), sql.Identifier(staged)
            )
        )
        return cursor.rowcount

    async def _make(self, partitions: set[Partition], connection: Connection) -> None:
        missing = [each for each in partitions if (each.table, each.day) not in self._days]
        for partition in sorted(missing, key=lambda each: each.name):
            start, end = partition.bounds
            await connection.execute(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(partition.name),
                    sql.Identifier(partition.table),
                    sql.Literal(start.isoformat()),
                    sql.Literal(end.isoformat()),
                )
            )
        # Committed on their own: what follows may fail without taking the partitions along.
        await connection.commit()
        self._days |= {(each.table, each.day) for each in missing}


async def _copy(connection: Connection, table: str, rows: list[Row]) -> None:
    statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            await copy.write_row(row)
