"""The third tier: PostgreSQL, which survives a restart of everything else."""

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from weirworks_cache.core.envelope import Entry, seal, unseal
from weirworks_cache.store.protocol import StoreDown

_PUT = """
INSERT INTO cache_entries (key, sealed, expire_time) VALUES (%s, %s, to_timestamp(%s))
ON CONFLICT (key) DO UPDATE SET sealed = excluded.sealed, expire_time = excluded.expire_time
"""


class PostgresStore:
    """Expired rows are absent at once and removed by `sweep`."""

    def __init__(self, pool: AsyncConnectionPool, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout

    async def get(self, key: bytes, now: float) -> Entry | None:
        try:
            async with self._pool.connection(self._timeout) as connection:
                cursor = await connection.execute("SELECT sealed FROM cache_entries WHERE key = %s", (key,))
                row = await cursor.fetchone()
        except (psycopg.Error, PoolTimeout, OSError) as error:
            raise StoreDown("postgres") from error
        entry = unseal(bytes(row[0])) if row is not None else None
        return entry if entry is not None and entry.is_fresh(now) else None

    async def put(self, key: bytes, entry: Entry, now: float) -> None:
        if not entry.is_fresh(now):
            return
        try:
            async with self._pool.connection(self._timeout) as connection:
                await connection.execute(_PUT, (key, seal(entry), entry.expires))
        except (psycopg.Error, PoolTimeout, OSError) as error:
            raise StoreDown("postgres") from error

    async def sweep(self) -> int:
        """Removes expired rows; returns how many. Raises StoreDown."""
        try:
            async with self._pool.connection(self._timeout) as connection:
                cursor = await connection.execute("DELETE FROM cache_entries WHERE expire_time < now()")
                return cursor.rowcount
        except (psycopg.Error, PoolTimeout, OSError) as error:
            raise StoreDown("postgres") from error

    async def close(self) -> None:
        await self._pool.close()
