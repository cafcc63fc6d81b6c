"""Builds the telemetry service and runs its loops."""

import asyncio
import logging
import secrets
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import psycopg
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from prometheus_client import CollectorRegistry
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from weirworks.telemetry.v1 import telemetry_service_pb2
from weirworks_observe.hashing import InputHasher
from weirworks_rpc import Server, Service
from weirworks_rpc.interceptors import Metrics
from weirworks_service.migrations import migrate

from weirworks_telemetry.buffer import Buffer
from weirworks_telemetry.instruments import Instruments
from weirworks_telemetry.otlp_servicers import logs_receiver, metrics_receiver, trace_receiver
from weirworks_telemetry.query import Query
from weirworks_telemetry.servicer import TelemetryServicer
from weirworks_telemetry.settings import TelemetrySettings
from weirworks_telemetry.sink import Connection, PostgresSink

log = logging.getLogger(__name__)


class TelemetryApp:
    """Everything that runs in the process."""

    def __init__(self, settings: TelemetrySettings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._stopping = asyncio.Event()
        self._url = settings.postgres_url.get_secret_value()
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            self._url, min_size=1, max_size=4, open=False, timeout=2, connection_class=Connection
        )
        self._sink = PostgresSink(self._pool, settings.step)
        self._buffer = Buffer(self._sink.write, settings.buffer_rows)
        instruments = Instruments(registry)
        instruments.waiting.set_function(lambda: self._buffer.rows)
        servicer = TelemetryServicer(self._buffer, Query(self._pool, settings.step), settings, instruments)
        secret = settings.hash_secret_file
        # Without a secret of its own the hashes of this process connect with nothing, which leaks nothing.
        hasher = InputHasher.from_file(secret) if secret else InputHasher(secrets.token_bytes(32))
        self._hasher = hasher
        services = [
            Service(telemetry_service_pb2.DESCRIPTOR.services_by_name["TelemetryService"], servicer),
            Service(
                trace_service_pb2.DESCRIPTOR.services_by_name["TraceService"],
                trace_receiver(self._buffer, self._digest),
            ),
            Service(
                metrics_service_pb2.DESCRIPTOR.services_by_name["MetricsService"],
                metrics_receiver(self._buffer, self._digest),
            ),
            Service(
                logs_service_pb2.DESCRIPTOR.services_by_name["LogsService"], logs_receiver(self._buffer, self._digest)
            ),
        ]
        # No tracing here: its spans would come back to this very service and make more of them.
        self.server = Server(services, settings.server_options(), [Metrics(registry)])

    async def start(self, stack: AsyncExitStack) -> None:
        """Waits for the database and brings it up to date: without it the service can do nothing."""
        while True:
            if await migrate(self._url, "weirworks_telemetry"):
                break
            await asyncio.sleep(0.5)
        await self._pool.open()
        stack.push_async_callback(self._pool.close)
        await self._sink.keep_partitions(datetime.now(UTC), self._settings.retention)

    async def serve(self) -> None:
        """Commits what comes in and keeps the partitions until `stop`."""
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._buffer.run())
            keeping = group.create_task(self._keep())
            probing = group.create_task(self._probe())
            await self._stopping.wait()
            for task in (writing, keeping, probing):
                task.cancel()

    def stop(self) -> None:
        """Ends `serve`; every write that was taken has been answered by then."""
        self._stopping.set()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._settings.sweep_interval.total_seconds())
            try:
                dropped = await self._sink.keep_partitions(datetime.now(UTC), self._settings.retention)
            except (psycopg.Error, PoolTimeout, OSError):
                log.warning("partitions not kept", exc_info=True)
                continue
            if dropped:
                log.info("dropped", extra={"partitions": dropped})

    async def _probe(self) -> None:
        """Says NOT_SERVING while the database is away."""
        while True:
            try:
                async with self._pool.connection(timeout=2) as connection:
                    await connection.execute("SELECT 1")
                await self.server.set_serving(True)
            except (psycopg.Error, PoolTimeout, OSError):
                await self.server.set_serving(False)
            await asyncio.sleep(2)

    def _digest(self, tenant: str, text: str) -> str:
        return self._hasher.hash(tenant, text.encode()).hex()
