"""Builds the inference service and runs its loops."""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from weirworks.inference.v1 import model_service_pb2, registry_service_pb2
from weirworks_observe.outbox import Outbox
from weirworks_rpc import Server, Service, WeirError
from weirworks_rpc.interceptors import Interceptor, Metrics, Tracing
from weirworks_rpc.oip import SERVICE as OIP

from weirworks_inference.classifier import ImageClassifier, ImageLimits
from weirworks_inference.control_servicer import ControlServicer
from weirworks_inference.core import quota
from weirworks_inference.core.residency import Size
from weirworks_inference.core.versions import Registered
from weirworks_inference.embedding import TextEmbedder, TextModels
from weirworks_inference.embeddings import EmbeddingCache
from weirworks_inference.engine import Engine
from weirworks_inference.generation import TextGenerator
from weirworks_inference.health import Health
from weirworks_inference.host import cpu_limit, memory_limit, process_start_time
from weirworks_inference.instruments import Instruments
from weirworks_inference.lane import Lane
from weirworks_inference.loader import Loader
from weirworks_inference.model_servicer import ModelServicer
from weirworks_inference.oip_servicer import RAW, OipServicer
from weirworks_inference.preloading import Preloading
from weirworks_inference.registry_servicer import RegistryServicer
from weirworks_inference.repository import Repository
from weirworks_inference.residents import Residents, Rules
from weirworks_inference.runtime.genai import GenaiRuntime
from weirworks_inference.runtime.optimized import OptimizedGraphs
from weirworks_inference.runtime.options import Defaults
from weirworks_inference.runtime.protocol import Runtime
from weirworks_inference.settings import InferenceSettings
from weirworks_inference.shelf import Shelf

if TYPE_CHECKING:
    from weirworks_inference.registry import Registry

log = logging.getLogger(__name__)
# Of the container's memory for models; the rest is for requests, activations and the process.
_MODELS_SHARE = 0.6
_UNLIMITED = 1 << 60
_PRELOAD_TURN = 20.0


class InferenceApp:
    """Everything that runs in the process."""

    def __init__(self, settings: InferenceSettings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._stopping = asyncio.Event()
        self._instruments = Instruments(registry)
        self._lane = Lane(settings.queue_limit, settings.queue_bytes, settings.cpu_share)
        self._outbox = (
            Outbox(settings.data_dir / "inference-events", settings.telemetry, settings.event_interval)
            if settings.telemetry
            else None
        )
        url = settings.postgres_url.get_secret_value()
        self._registry = _open_registry(url, settings.registry_interval) if url else None
        self._graphs = OptimizedGraphs(
            settings.optimized_dir or settings.data_dir / "optimized", isolate=settings.isolate_loads
        )
        self._residents = self._build_residents()
        self._engine = Engine(self._residents, self._lane, self._instruments, self._outbox, lambda: self.server.address)
        self._embeddings = EmbeddingCache(
            settings.embeddings, settings.cache, settings.cache_timeout, settings.embedding_ttl
        )
        self._preloading = Preloading(
            self._residents,
            self._instruments,
            settings.data_dir / "usage.json",
            settings.preload_ahead,
            lambda: datetime.now(UTC),
        )
        self._health = Health(self._engine, self._preloading, self._registry, self._embeddings, self._graphs)
        # Without telemetry nobody reads spans, and making them costs a tenth of a small call.
        around: list[Interceptor] = [Tracing()] if settings.telemetry else []
        self.server = Server(self._services(), settings.server_options(), [*around, Metrics(registry)])

    def _build_residents(self) -> Residents:
        settings = self._settings
        defaults = Defaults(settings.threads or cpu_limit(), tuple(settings.providers), settings.device_budget)
        shelf = Shelf(Repository(settings.models), self._registered)
        budget = Size(
            settings.host_budget or round(memory_limit() * _MODELS_SHARE), settings.device_budget or _UNLIMITED
        )

        def open_runtime() -> Runtime:
            # Imported at the first load, on its thread: it is a tenth of what a start would take.
            from weirworks_inference.runtime.onnx import OnnxRuntime

            return OnnxRuntime(defaults, self._graphs)

        return Residents(
            shelf,
            Loader(open_runtime, GenaiRuntime(defaults)),
            Rules(budget, settings.idle_unload.total_seconds()),
            self._instruments,
            self._registered,
            self._lane.charge,
        )

    def _services(self) -> list[Service]:
        settings, engine = self._settings, self._engine
        limits = ImageLimits(settings.max_image_bytes, settings.max_image_pixels)
        models = TextModels(settings.text_models, settings.text_model)
        own = ModelServicer(
            engine,
            ImageClassifier(engine, settings.image_model, limits),
            TextEmbedder(engine, models, self._embeddings, self._instruments),
            TextGenerator(engine),
            self._health,
        )
        registry = RegistryServicer(engine, self._registry)
        return [
            Service(OIP, OipServicer(engine), ControlServicer(engine, settings.trace_ratio), raw=RAW),
            Service(model_service_pb2.DESCRIPTOR.services_by_name["ModelService"], own),
            Service(registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"], registry),
        ]

    def _registered(self, model: str) -> Mapping[str, Registered]:
        return self._registry.of(model) if self._registry is not None else {}

    async def start(self, stack: AsyncExitStack) -> None:
        """Loads the models that must be there before the service is ready."""
        stack.callback(self._lane.close)
        stack.callback(self._residents.close)
        stack.callback(self._engine.close)
        stack.push_async_callback(self._embeddings.close)
        if self._registry is not None:
            await self._registry.open()
            stack.push_async_callback(self._registry.close)
        for name in self._settings.preload:
            try:
                await self._residents.load_now(self._engine.find(name, ""))
            except WeirError as error:
                # The other models answer; this one says so itself, and its health does.
                log.error("not loaded at the start", extra={"model": name, "why": error.message})
        if self._settings.cpu_share < 1:
            # A pod's CPU limit holds from its first instruction, so a start takes its share too.
            elapsed = time.time() - process_start_time()
            await asyncio.sleep(quota.behind(self._settings.cpu_share, time.process_time(), elapsed))

    async def serve(self) -> None:
        """Looks after models and sends events until `stop`; the last events go out before it ends."""
        await self._health.publish(self.server)
        async with asyncio.TaskGroup() as group:
            loops = [self._look(), self._sweep(), self._publish(), self._load_ahead()]
            if self._registry is not None:
                loops.append(self._registry.watch())
            tasks = [group.create_task(each) for each in loops]
            if self._outbox is not None:
                group.create_task(self._outbox.run())
            await self._stopping.wait()
            for task in tasks:
                task.cancel()
            if self._outbox is not None:
                self._outbox.stop()

    def stop(self) -> None:
        """Ends `serve`."""
        self._stopping.set()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._settings.rescan.total_seconds())
            self._residents.look()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._settings.idle_check.total_seconds())
            await self._residents.sweep(time.monotonic())

    async def _publish(self) -> None:
        while True:
            await self._residents.changed.wait()
            self._residents.changed.clear()
            await self._health.publish(self.server)

    async def _load_ahead(self) -> None:
        while True:
            await asyncio.sleep(_PRELOAD_TURN)
            await self._preloading.turn()


def _open_registry(url: str, interval: timedelta) -> "Registry":
    # The driver takes 0.1 s of CPU to import, which a service without a registry need not spend.
    from weirworks_inference.registry import Registry

    return Registry(url, interval)
