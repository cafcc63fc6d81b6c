"""Builds the router and runs its loops."""

import asyncio
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry
from weirworks.router.v1 import router_service_pb2
from weirworks_observe.hashing import InputHasher
from weirworks_observe.outbox import Outbox
from weirworks_rpc import Server, Service
from weirworks_rpc.interceptors import Metrics, Tracing
from weirworks_rpc.oip import SERVICE as OIP

from weirworks_router.cache_edge import CacheEdge
from weirworks_router.core.types import Thresholds
from weirworks_router.dispatch import Dispatcher
from weirworks_router.fleet import Fleet
from weirworks_router.generation import Generation
from weirworks_router.instruments import Instruments
from weirworks_router.journal import Journal
from weirworks_router.local import LocalRoute
from weirworks_router.oip_servicer import RAW, OipServicer
from weirworks_router.prompts import Prompts
from weirworks_router.providers.table import open_backends
from weirworks_router.servicer import RouterServicer
from weirworks_router.settings import RouterSettings


class RouterApp:
    """Everything that runs in the process."""

    def __init__(self, settings: RouterSettings, registry: CollectorRegistry) -> None:
        self._stopping = asyncio.Event()
        instruments = Instruments(registry)
        self._fleet = Fleet(settings.inference, settings.endpoints_file)
        instruments.endpoints.set_function(lambda: len(self._fleet.endpoints()))
        self._cache = (
            CacheEdge(settings.cache, settings.cache_ttl, settings.cache_timeout, settings.fill_patience)
            if settings.cache
            else None
        )
        self._outbox = (
            Outbox(settings.data_dir / "router-events", settings.telemetry, settings.event_interval)
            if settings.telemetry
            else None
        )
        hasher = InputHasher.from_file(settings.hash_secret_file) if settings.hash_secret_file else None
        journal = Journal(self._outbox, hasher, instruments)
        dispatcher = Dispatcher(self._fleet)
        local = LocalRoute(self._cache, dispatcher, journal, settings.usd_per_inference)
        self._backends = open_backends(settings.backends)
        order = {band: tuple(names) for band, names in settings.bands.items()}
        thresholds = Thresholds(settings.experiment_from, settings.provider_from, order)
        generation = Generation(self._backends, thresholds, instruments)
        prompts = Prompts(generation, self._cache, journal, "generate" in settings.cached)
        servicer = RouterServicer(local, prompts, generation, self._fleet, settings)
        oip = OipServicer(local, dispatcher, self._fleet, "infer" in settings.cached)
        router_service = router_service_pb2.DESCRIPTOR.services_by_name["RouterService"]
        self.server = Server(
            [Service(router_service, servicer), Service(OIP, oip, raw=RAW)],
            settings.server_options(),
            [Tracing(), Metrics(registry)],
        )

    async def start(self, stack: AsyncExitStack) -> None:
        """Opens the channels."""
        self._fleet.start()
        stack.push_async_callback(self._fleet.close)
        if self._cache is not None:
            stack.push_async_callback(self._cache.close)
        for backend in self._backends.values():
            stack.push_async_callback(backend.provider.close)

    async def serve(self) -> None:
        """Follows the fleet, stores answers and sends events until `stop`."""
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(self._fleet.watch())]
            if self._cache is not None:
                running.append(group.create_task(self._cache.run()))
            if self._outbox is not None:
                group.create_task(self._outbox.run())
            await self._stopping.wait()
            for task in running:
                task.cancel()
            if self._outbox is not None:
                self._outbox.stop()

    def stop(self) -> None:
        """Ends `serve`."""
        self._stopping.set()
