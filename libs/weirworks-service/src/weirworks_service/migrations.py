"""Brings a service's tables up to date: forward-only SQL files, each in a transaction of its own."""

import logging
from importlib import resources

import psycopg

log = logging.getLogger(__name__)
_TABLE = """
CREATE TABLE IF NOT EXISTS weirworks_migrations (
  service text NOT NULL,
  name text NOT NULL,
  apply_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (service, name)
)
"""
# Replicas that start together take turns; the number is an arbitrary constant of ours.
_LOCK = 7_316_004


async def migrate(url: str, package: str) -> bool:
    """Applies the files of `<package>/migrations` that are not applied yet, by name.

    Returns False, with a log line, when the database cannot be reached; the caller tries again.
    """
    files = sorted(resources.files(package).joinpath("migrations").iterdir(), key=lambda file: file.name)
    try:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=5) as connection:
            await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            await connection.execute(_TABLE)
            for file in (file for file in files if file.name.endswith(".sql")):
                await _apply(connection, package, file.name, file.read_text("utf-8"))
    except psycopg.OperationalError:
        log.warning("database is away", extra={"package": package})
        return False
    return True


async def _apply(connection: psycopg.AsyncConnection[tuple[object, ...]], package: str, name: str, sql: str) -> None:
    known = await connection.execute(
        "SELECT 1 FROM weirworks_migrations WHERE service = %s AND name = %s", (package, name)
    )
    if await known.fetchone() is not None:
        return
    async with connection.transaction():
        await connection.execute(sql.encode())
        await connection.execute("INSERT INTO weirworks_migrations (service, name) VALUES (%s, %s)", (package, name))
    log.info("migrated", extra={"package": package, "migration": name})
