"""Builds the cache service and runs its loops."""

import asyncio
import logging
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry
from psycopg_pool import AsyncConnectionPool
from weirworks.cache.v1 import cache_service_pb2
from weirworks_rpc import Server, Service
from weirworks_rpc.interceptors import Metrics, Tracing
from weirworks_service.migrations import migrate

from weirworks_cache.core.fills import Fills
from weirworks_cache.instruments import Instruments
from weirworks_cache.servicer import CacheServicer
from weirworks_cache.settings import CacheSettings
from weirworks_cache.store.memory import MemoryStore
from weirworks_cache.store.postgres import PostgresStore
from weirworks_cache.store.protocol import StoreDown
from weirworks_cache.store.redis import RedisStore
from weirworks_cache.tiers import Tier, Tiers

log = logging.getLogger(__name__)
_MAX_FILLS = 100_000


class CacheApp:
    """Everything that runs in the process."""

    def __init__(self, settings: CacheSettings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._stopping = asyncio.Event()
        self._tiers = Tiers([Tier("memory", MemoryStore(settings.memory_bytes))])
        self._postgres: PostgresStore | None = None
        self._servicer = CacheServicer(self._tiers, Fills(_MAX_FILLS), settings, Instruments(registry))
        descriptor = cache_service_pb2.DESCRIPTOR.services_by_name["CacheService"]
        self.server = Server(
            [Service(descriptor, self._servicer)], settings.server_options(), [Tracing(), Metrics(registry)]
        )

    async def start(self, stack: AsyncExitStack) -> None:
        """Opens the stores. A store that is away does not keep the service from starting."""
        timeout = self._settings.store_timeout.total_seconds()
        stack.push_async_callback(self._tiers.close)
        if url := self._settings.redis_url.get_secret_value():
            self._tiers.tiers.append(Tier("redis", RedisStore(url, timeout)))
        if url := self._settings.postgres_url.get_secret_value():
            pool = AsyncConnectionPool(url, min_size=1, max_size=4, open=False, timeout=timeout)
            await pool.open()
            self._postgres = PostgresStore(pool, timeout)
            self._tiers.tiers.append(Tier("postgres", self._postgres))

    async def serve(self) -> None:
        """Brings the schema up to date and sweeps until `stop`."""
        migrated = False
        while not self._stopping.is_set():
            self._servicer.sweep()
            if self._postgres is not None:
                migrated = migrated or await migrate(self._settings.postgres_url.get_secret_value(), "weirworks_cache")
                await self._sweep_rows(self._postgres)
            seconds = self._settings.sweep_interval.total_seconds() if migrated or not self._postgres else 1.0
            try:
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Ends `serve`."""
        self._stopping.set()

    async def _sweep_rows(self, store: PostgresStore) -> None:
        try:
            removed = await store.sweep()
        except StoreDown:
            return
        if removed:
            log.info("swept", extra={"rows": removed})
