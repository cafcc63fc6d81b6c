"""Builds the autoscaler and runs its loop."""

from __future__ import annotations

import asyncio
import socket
import uuid
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from weirworks.autoscaler.v1 import autoscaler_service_pb2
from weirworks_observe.outbox import Outbox
from weirworks_rpc import Server, Service, open_channel
from weirworks_rpc.interceptors import Metrics, Tracing

from weirworks_autoscaler.core.types import ScalerSpec
from weirworks_autoscaler.instruments import Instruments
from weirworks_autoscaler.loop import Loop
from weirworks_autoscaler.observe import History
from weirworks_autoscaler.providers.local import LocalTarget
from weirworks_autoscaler.providers.protocol import Target
from weirworks_autoscaler.scaler import Scaler
from weirworks_autoscaler.servicer import AutoscalerServicer
from weirworks_autoscaler.settings import AutoscalerSettings

if TYPE_CHECKING:
    from weirworks_autoscaler.controller.controller import Controller


class AutoscalerApp:
    """Everything that runs in the process."""

    def __init__(self, settings: AutoscalerSettings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._stopping = asyncio.Event()
        self._instruments = Instruments(registry)
        self._scalers: list[Scaler] = []
        self._loop: Loop | Controller | None = None
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
        settings = self._settings
        # The newest step is between one lag and one lag and a tick old.
        lag = settings.metrics_lag + settings.tick / 2
        if settings.provider == "kubernetes":
            self._loop = await self._controller(stack, lag)
            return
        for target in settings.targets:
            spec = target.spec(lag, settings.tick)
            self._scalers.append(self._scaler(spec, LocalTarget(settings.scale_dir)))
        self._loop = Loop(self._scalers, settings.tick, self._instruments)

    async def serve(self) -> None:
        """Decides and sends events until `stop`."""
        assert self._loop is not None
        async with asyncio.TaskGroup() as group:
            deciding = group.create_task(self._loop.run())
            if self._outbox is not None:
                group.create_task(self._outbox.run())
            await self._stopping.wait()
            deciding.cancel()
            if self._outbox is not None:
                self._outbox.stop()

    def stop(self) -> None:
        """Ends `serve`."""
        self._stopping.set()

    def _scaler(self, spec: ScalerSpec, target: Target) -> Scaler:
        settings = self._settings
        history = History(self._channel, spec.model, settings.history, settings.metrics_lag)
        return Scaler(spec, target, history, self._outbox)

    async def _controller(self, stack: AsyncExitStack, lag: timedelta) -> Controller:
        # Imported here: the client takes 50 MB and a second, which a laptop need not pay.
        from weirworks_autoscaler.controller.cluster import Cluster
        from weirworks_autoscaler.controller.controller import Controller
        from weirworks_autoscaler.controller.election import Election
        from weirworks_autoscaler.controller.resource import Resource
        from weirworks_autoscaler.providers.kubernetes import DeploymentTarget, open_api

        settings = self._settings
        api = await open_api()
        stack.push_async_callback(api.close)
        identity = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        duration = settings.lease_duration
        election = Election(api, settings.lease_namespace, settings.lease_name, identity, duration, duration / 7.5)

        def make(resource: Resource) -> Scaler:
            return self._scaler(resource.spec, DeploymentTarget(api, resource.namespace, resource.target))

        cluster = Cluster(api, settings.namespace, identity)
        return Controller(cluster, election, make, self._scalers, settings.tick, lag, self._instruments)
