"""Builds the inference service and runs its loops."""

import asyncio
import time
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry
from weirworks.inference.v1 import model_service_pb2
from weirworks_observe.outbox import Outbox
from weirworks_rpc import Server, Service
from weirworks_rpc.interceptors import Metrics, Tracing
from weirworks_rpc.oip import SERVICE as OIP

from weirworks_inference.core import quota
from weirworks_inference.device import process_start_time
from weirworks_inference.engine import Engine
from weirworks_inference.instruments import Instruments
from weirworks_inference.model_servicer import ModelServicer
from weirworks_inference.oip_servicer import OipServicer
from weirworks_inference.repository import Repository
from weirworks_inference.runtime.onnx import OnnxRuntime
from weirworks_inference.settings import InferenceSettings
from weirworks_inference.worker import Worker


class InferenceApp:
    """Everything that runs in the process."""

    def __init__(self, settings: InferenceSettings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._stopping = asyncio.Event()
        self._worker = Worker(settings.queue_limit, settings.cpu_share)
        self._outbox = (
            Outbox(settings.data_dir / "inference-events", settings.telemetry, settings.event_interval)
            if settings.telemetry
            else None
        )
        instruments = Instruments(registry)
        self._repository = Repository(settings.models, OnnxRuntime(settings.threads), self._worker, instruments)
        engine = Engine(self._repository, self._worker, instruments, self._outbox, lambda: self.server.address)
        model_service = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"]
        self.server = Server(
            [Service(OIP, OipServicer(engine)), Service(model_service, ModelServicer(engine, settings))],
            settings.server_options(),
            [Tracing(), Metrics(registry)],
        )

    async def start(self, stack: AsyncExitStack) -> None:
        """Loads the models that must be there before the service is ready."""
        stack.callback(self._worker.close)
        serving = asyncio.create_task(self._worker.serve())
        try:
            for name in self._settings.preload:
                await self._repository.load(self._repository.find(name, ""))
        finally:
            serving.cancel()
        if self._settings.cpu_share < 1:
            # A pod's CPU limit holds from its first instruction, so a start takes its share too.
            elapsed = time.time() - process_start_time()
            await asyncio.sleep(quota.behind(self._settings.cpu_share, time.process_time(), elapsed))

    async def serve(self) -> None:
        """Runs models and sends events until `stop`; the last events go out before it ends."""
        async with asyncio.TaskGroup() as group:
            worker = group.create_task(self._worker.serve())
            if self._outbox is not None:
                group.create_task(self._outbox.run())
            await self._stopping.wait()
            worker.cancel()
            if self._outbox is not None:
                self._outbox.stop()

    def stop(self) -> None:
        """Ends `serve`."""
        self._stopping.set()
