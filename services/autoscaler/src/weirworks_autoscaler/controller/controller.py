"""Keeps the scalers of a cluster up to date and reconciles each at every tick."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from weirworks_autoscaler.controller.cluster import Cluster
from weirworks_autoscaler.controller.election import Election
from weirworks_autoscaler.controller.managed import MakeScaler, Managed
from weirworks_autoscaler.controller.reconcile import Reconciler, conflicts
from weirworks_autoscaler.controller.resource import InvalidResource, outline, parse
from weirworks_autoscaler.instruments import Instruments
from weirworks_autoscaler.loop import every
from weirworks_autoscaler.providers.kubernetes import ERRORS
from weirworks_autoscaler.reporting import forget, report
from weirworks_autoscaler.scaler import Scaler

log = logging.getLogger(__name__)
_RESYNC_S = 300
_PAUSE_S = 1.0
_AT_ONCE = 32


class Controller:
    """`scalers` is what the gRPC service reads; it is kept in place."""

    def __init__(
        self,
        cluster: Cluster,
        election: Election,
        make: MakeScaler,
        scalers: list[Scaler],
        interval: timedelta,
        lag: timedelta,
        instruments: Instruments,
    ) -> None:
        self._cluster = cluster
        self._election = election
        self._make = make
        self._scalers = scalers
        self._interval = interval
        self._lag = lag
        self._instruments = instruments
        self._reconciler = Reconciler(cluster)
        self._managed: dict[tuple[str, str], Managed] = {}
        self._listed = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._election.run())
            group.create_task(self._follow())
            group.create_task(self._tick())

    async def _follow(self) -> None:
        """Lists, then watches; lists again when a watch ends, so that nothing missed stays missed for long."""
        while True:
            try:
                items, version = await self._cluster.list()
                for gone in self._managed.keys() - {_key(item) for item in items}:
                    self._forget(gone)
                for item in items:
                    self._take(item)
                self._listed.set()
                async for kind, item in self._cluster.watch(version, _RESYNC_S):
                    if kind == "DELETED":
                        self._forget(_key(item))
                    else:
                        self._take(item)
            except ERRORS as error:
                log.warning("scalers not listed", extra={"why": type(error).__name__})
                await asyncio.sleep(_PAUSE_S)

    async def _tick(self) -> None:
        await self._listed.wait()
        await every(self._interval, self._all)

    async def _all(self) -> None:
        try:
            hpas: Mapping[tuple[str, str], str] | None = await self._cluster.hpa_targets()
        except ERRORS as error:
            # Without knowing who else resizes, nothing is written; that is a tick like one with the API away.
            log.warning("other autoscalers not listed", extra={"why": type(error).__name__})
            hpas = None
        found = conflicts(self._managed, hpas or {})
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(key: tuple[str, str], managed: Managed) -> None:
            async with turns:
                leads = self._election.leads and hpas is not None
                try:
                    await self._reconciler.reconcile(managed, found.get(key), leads)
                except Exception:
                    # A defect in one must not stop the others.
                    log.exception("reconcile failed", extra={"scaler": managed.resource.spec.name})
                    return
                self._report(managed)

        await asyncio.gather(*(one(key, each) for key, each in list(self._managed.items())))

    def _take(self, item: Mapping[str, Any]) -> None:
        key = _key(item)
        known = self._managed.get(key)
        try:
            resource, invalid = parse(item, self._lag, self._interval), ""
        except InvalidResource as error:
            resource, invalid = outline(item), str(error)
        if known is None:
            managed = Managed(resource, self._make(resource), status=dict(item.get("status") or {}))
            self._managed[key] = managed
            managed.invalid = invalid
        elif invalid:
            # What was learned by the version before waits for a better one; nothing is resized meanwhile.
            known.resource, known.invalid = replace(known.resource, generation=resource.generation), invalid
        else:
            known.renew(resource, self._make)
        self._scalers[:] = [each.scaler for each in self._managed.values()]

    def _forget(self, key: tuple[str, str]) -> None:
        """Leaves the Deployment as it is."""
        gone = self._managed.pop(key, None)
        if gone is not None:
            self._scalers[:] = [each.scaler for each in self._managed.values()]
            forget(self._instruments, gone.resource.spec.name)

    def _report(self, managed: Managed) -> None:
        if managed.scaler.last is not None:
            report(self._instruments, managed.resource.spec.name, managed.scaler.last.decision)


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]
