"""Builds the autoscaler and runs its loop."""

import asyncio
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry
from weirworks.autoscaler.v1 import autoscaler_service_pb2
from weirworks_observe.outbox import Outbox
from weirworks_rpc import Server, Service, open_channel
from weirworks_rpc.interceptors import Metrics, Tracing

from weirworks_autoscaler.instruments import Instruments
from weirworks_autoscaler.loop import Loop
from weirworks_autoscaler.observe import History
from weirworks_autoscaler.providers.local import LocalTarget
from weirworks_autoscaler.providers.protocol import Target
from weirworks_autoscaler.scaler import Scaler
from weirworks_autoscaler.servicer import AutoscalerServicer
from weirworks_autoscaler.settings import AutoscalerSettings, TargetSettings


class AutoscalerApp:
    """Everything that runs in the process."""

    def __init__(self, settings: AutoscalerSettings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._stopping = asyncio.Event()
        self._instruments = Instruments(registry)
        self._scalers: list[Scaler] = []
        self._outbox = (
            Outbox(settings.data_dir / "autoscaler-events", settings.telemetry, settings.event_interval)
            if settings.telemetry
            else None
        )
        # Without telemetry there is no history; the channel then leads nowhere and every decision is NoData.
        self._channel = open_channel(settings.telemetry or "127.0.0.1:9")
        descriptor = autoscaler_service_pb2.DESCRIPTOR.services_by_name["AutoscalerService"]
        servicer = AutoscalerServicer(self._scalers)
        self.server = Server([Service(descriptor, servicer)], settings.server_options(), [Tracing(), Metrics(registry)])

    async def start(self, stack: AsyncExitStack) -> None:
        """Opens the targets."""
        stack.push_async_callback(self._channel.close)
        for target in self._settings.targets:
            opened = await self._open(target, stack)
            settings = self._settings
            history = History(self._channel, target.model, settings.history, settings.metrics_lag)
            # The newest step is between one lag and one lag and a tick old.
            spec = target.spec(settings.metrics_lag + settings.tick / 2, settings.tick)
            self._scalers.append(Scaler(spec, opened, history, self._outbox))

    async def serve(self) -> None:
        """Decides and sends events until `stop`."""
        loop = Loop(self._scalers, self._settings.tick, self._instruments)
        async with asyncio.TaskGroup() as group:
            deciding = group.create_task(loop.run())
            if self._outbox is not None:
                group.create_task(self._outbox.run())
            await self._stopping.wait()
            deciding.cancel()
            if self._outbox is not None:
                self._outbox.stop()

    def stop(self) -> None:
        """Ends `serve`."""
        self._stopping.set()

    async def _open(self, target: TargetSettings, stack: AsyncExitStack) -> Target:
        if self._settings.provider == "local":
            return LocalTarget(self._settings.scale_dir)
        # Imported here: the client takes 50 MB and a second, which a laptop need not pay.
        from weirworks_autoscaler.providers.kubernetes import DeploymentTarget, open_api

        api = await open_api()
        stack.push_async_callback(api.close)
        return DeploymentTarget(api, target.namespace, target.deployment)
