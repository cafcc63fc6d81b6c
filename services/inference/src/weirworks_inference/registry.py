"""The registry in PostgreSQL: every change and its audit line in one transaction, one active version a model.

Replicas read it every few seconds; while the database is away they go on with what they know.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from weirworks_rpc.errors import NotFound, StoreUnavailable
from weirworks_service.migrations import migrate

from weirworks_inference.core.versions import ChangeRow, Description, Registered, Row, Status
from weirworks_inference.errors import RegistryConflict

log = logging.getLogger(__name__)
_PATIENCE = 5.0
_NOTHING: Mapping[str, Registered] = MappingProxyType({})
_COLUMNS = (
    "model, version, task, status, digest, path, domain, inputs, outputs, accuracy, "
    "create_time, promote_time, promotion"
)


class Registry:
    """Raises StoreUnavailable from every call while the database is away."""

    def __init__(self, url: str, interval: timedelta) -> None:
        self._url = url
        self._interval = interval.total_seconds()
        self._pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            url, min_size=0, max_size=4, open=False, timeout=_PATIENCE, kwargs={"connect_timeout": 5}
        )
        self._known: dict[str, dict[str, Registered]] = {}
        self._migrated = False
        self.answers = False

    def of(self, model: str) -> Mapping[str, Registered]:
        """The versions of a model as last read."""
        return self._known.get(model, _NOTHING)

    async def open(self) -> None:
        """Reads the registry once, if the database answers."""
        await self._pool.open()
        await self.refresh()

    async def close(self) -> None:
        """Closes the connections."""
        await self._pool.close()

    async def watch(self) -> None:
        """Reads the registry again and again."""
        while True:
            await asyncio.sleep(self._interval)
            await self.refresh()

    async def refresh(self) -> None:
        """Reads the registry; keeps what is known when the database is away."""
        try:
            self._migrated = self._migrated or await migrate(self._url, "weirworks_inference")
            rows = await self.versions("") if self._migrated else None
        except StoreUnavailable:
            rows = None
        if rows is None:
            if self.answers:
                log.warning("registry is away; going on with what is known")
            self.answers = False
            return
        self.answers = True
        known: dict[str, dict[str, Registered]] = {}
        for row in rows:
            registered = Registered(row.version, Status(row.status), row.digest, row.promotion)
            known.setdefault(row.model, {})[row.version] = registered
        self._known = known

    async def versions(self, model: str) -> list[Row]:
        """By model, then number; of all models where none is named."""
        async with self._transaction() as connection, connection.cursor(row_factory=class_row(Row)) as cursor:
            query = f"SELECT {_COLUMNS} FROM model_versions WHERE %s IN ('', model) ORDER BY model, version::numeric"  # noqa: S608  (our own columns)
            await cursor.execute(query, (model,))
            return await cursor.fetchall()

    async def changes(self, model: str) -> list[ChangeRow]:
        """Newest first, the latest 10,000."""
        async with self._transaction() as connection, connection.cursor(row_factory=class_row(ChangeRow)) as cursor:
            await cursor.execute(
                "SELECT model, version, action, detail, actor, change_time FROM model_changes "
                "WHERE %s IN ('', model) ORDER BY id DESC LIMIT 10000",
                (model,),
            )
            return await cursor.fetchall()

    async def register(self, what: Description, status: Status, actor: str) -> Row:
        """Adds a version; the same one again changes nothing. Raises RegistryConflict for another file."""
        async with self._changing(what.model) as connection:
            known = await _row(connection, what.model, what.version)
            if known is not None:
                if known.digest != what.digest:
                    raise RegistryConflict(
                        what.model, what.version, "is registered with another file; make a new version of this one"
                    )
                return known
            await connection.execute(
                "INSERT INTO model_versions "
                "(model, version, task, status, digest, path, domain, inputs, outputs, accuracy) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    what.model,
                    what.version,
                    what.task,
                    status.value,
                    what.digest,
                    what.path,
                    what.domain,
                    list(what.inputs),
                    list(what.outputs),
                    what.accuracy,
                ),
            )
            await _note(connection, what.model, what.version, "register", status.value, actor)
            return await _there(connection, what.model, what.version)

    async def promote(self, model: str, version: str, actor: str) -> Row:
        """Makes it the active one; the one before becomes inactive."""
        async with self._changing(model) as connection:
            row = await _there(connection, model, version)
            if row.status == Status.ACTIVE:
                return row
            await _demote(connection, model, actor)
            await connection.execute(
                "UPDATE model_versions SET status = 'active', promote_time = now(), "
                "promotion = nextval('model_promotions') WHERE model = %s AND version = %s",
                (model, version),
            )
            await _note(connection, model, version, "promote", f"{row.status} → active", actor)
            return await _there(connection, model, version)

    async def roll_back(self, model: str, actor: str) -> Row:
        """Makes the version active that was before; what is rolled back is no target of a later rollback."""
        async with self._changing(model) as connection:
            cursor = await connection.execute(
                "SELECT version FROM model_versions WHERE model = %s AND status = 'inactive' AND promotion > 0 "
                "ORDER BY promotion DESC LIMIT 1",
                (model,),
            )
            found = await cursor.fetchone()
            if found is None:
                raise RegistryConflict(model, "", "has no version that was active before")
            gone = await _demote(connection, model, actor)
            await connection.execute(
                "UPDATE model_versions SET promotion = 0 WHERE model = %s AND version = %s", (model, gone)
            )
            await connection.execute(
                "UPDATE model_versions SET status = 'active', promote_time = now() WHERE model = %s AND version = %s",
                (model, found[0]),
            )
            await _note(connection, model, found[0], "rollback", f"instead of {gone or 'none'}", actor)
            return await _there(connection, model, found[0])

    async def update(self, model: str, version: str, status: Status | None, accuracy: float | None, actor: str) -> Row:
        """Sets what is given. Raises RegistryConflict for the status of the active version."""
        async with self._changing(model) as connection:
            row = await _there(connection, model, version)
            if status is not None and row.status == Status.ACTIVE:
                raise RegistryConflict(model, version, "is active; promote another or roll back instead")
            await connection.execute(
                "UPDATE model_versions SET status = coalesce(%s, status), accuracy = coalesce(%s, accuracy) "
                "WHERE model = %s AND version = %s",
                (status.value if status else None, accuracy, model, version),
            )
            detail = ", ".join(
                text
                for text in (
                    f"{row.status} → {status.value}" if status else "",
                    f"accuracy {accuracy:g}" if accuracy is not None else "",
                )
                if text
            )
            await _note(connection, model, version, "update", detail, actor)
            return await _there(connection, model, version)

    @asynccontextmanager
    async def _changing(self, model: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A transaction that no other change of the model runs beside."""
        async with self._transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 4))", (model,))
            yield connection

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        try:
            async with self._pool.connection() as connection, connection.transaction():
                yield connection
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable, PoolTimeout, OSError) as error:
            raise StoreUnavailable("registry") from error


async def _row(connection: psycopg.AsyncConnection[Any], model: str, version: str) -> Row | None:
    async with connection.cursor(row_factory=class_row(Row)) as cursor:
        query = f"SELECT {_COLUMNS} FROM model_versions WHERE model = %s AND version = %s"  # noqa: S608  (our own columns)
        await cursor.execute(query, (model, version))
        return await cursor.fetchone()


async def _there(connection: psycopg.AsyncConnection[Any], model: str, version: str) -> Row:
    row = await _row(connection, model, version)
    if row is None:
        raise NotFound("registered version", f"models/{model}/versions/{version}")
    return row


async def _demote(connection: psycopg.AsyncConnection[Any], model: str, actor: str) -> str:
    """Makes the active version inactive; returns it, empty when there was none."""
    cursor = await connection.execute(
        "UPDATE model_versions SET status = 'inactive' WHERE model = %s AND status = 'active' RETURNING version",
        (model,),
    )
    found = await cursor.fetchone()
    if found is None:
        return ""
    await _note(connection, model, found[0], "demote", "active → inactive", actor)
    return str(found[0])


async def _note(
    connection: psycopg.AsyncConnection[Any], model: str, version: str, action: str, detail: str, actor: str
) -> None:
    await connection.execute(
        "INSERT INTO model_changes (model, version, action, detail, actor) VALUES (%s, %s, %s, %s, %s)",
        (model, version, action, detail, actor),
    )
