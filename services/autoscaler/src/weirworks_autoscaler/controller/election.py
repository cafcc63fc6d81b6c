"""One leader among the replicas of the autoscaler, by a Lease (the rules of client-go's leader election)."""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta

from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

from weirworks_autoscaler.providers.kubernetes import ERRORS

log = logging.getLogger(__name__)
_REFUSED = (404, 409)


class Election:
    """Leads while `leads`. Whose clock is wrong does not matter: a lease counts from when its change was seen."""

    def __init__(
        self, api: client.ApiClient, namespace: str, name: str, identity: str, duration: timedelta, retry: timedelta
    ) -> None:
        self._leases = client.CoordinationV1Api(api)
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._duration = duration.total_seconds()
        self._retry = retry.total_seconds()
        self._renewed = -self._duration
        self._seen: tuple[str | None, datetime | None] = (None, None)
        self._seen_at = 0.0

    @property
    def leads(self) -> bool:
        """True while the lease is held for certain: a third of its time is kept as a margin against a slow write."""
        return time.monotonic() < self._renewed + self._duration * 2 / 3

    async def run(self) -> None:
        """Takes the lease when it is free and renews it, until cancelled; then gives it back."""
        try:
            while True:
                started = time.monotonic()
                try:
                    if await asyncio.wait_for(self._attempt(), self._retry * 2):
                        if not self.leads:
                            log.info("leading", extra={"lease": self._name, "identity": self._identity})
                        # Counted from before the write: the lease is never believed to last longer than it does.
                        self._renewed = started
                except ERRORS as error:
                    log.warning("lease not renewed", extra={"lease": self._name, "why": type(error).__name__})
                await asyncio.sleep(self._retry)
        finally:
            await self._release()

    async def _attempt(self) -> bool:
        now = datetime.now(UTC)
        try:
            lease = await self._leases.read_namespaced_lease(
                self._name, self._namespace, _request_timeout=self._retry * 2
            )
        except ApiException as error:
            if error.status != 404:
                raise
            return await self._create(now)
        spec = lease.spec or client.V1LeaseSpec()
        held = (spec.holder_identity, spec.renew_time)
        if held != self._seen:
            self._seen, self._seen_at = held, time.monotonic()
        mine = spec.holder_identity == self._identity
        expires = self._seen_at + (spec.lease_duration_seconds or self._duration)
        if not mine and spec.holder_identity and time.monotonic() < expires:
            return False
        if not mine:
            spec.acquire_time = now
            spec.lease_transitions = (spec.lease_transitions or 0) + 1
        spec.holder_identity, spec.renew_time = self._identity, now
        spec.lease_duration_seconds = max(1, round(self._duration))
        lease.spec = spec
        try:
            await self._leases.replace_namespaced_lease(
                self._name, self._namespace, lease, _request_timeout=self._retry * 2
            )
        except ApiException as error:
            if error.status in _REFUSED:
                return False
            raise
        return True

    async def _create(self, now: datetime) -> bool:
        spec = client.V1LeaseSpec(
            holder_identity=self._identity,
            acquire_time=now,
            renew_time=now,
            lease_duration_seconds=max(1, round(self._duration)),
            lease_transitions=0,
        )
        lease = client.V1Lease(metadata=client.V1ObjectMeta(name=self._name, namespace=self._namespace), spec=spec)
        try:
            await self._leases.create_namespaced_lease(self._namespace, lease, _request_timeout=self._retry * 2)
        except ApiException as error:
            if error.status in _REFUSED:
                return False
            raise
        return True

    async def _release(self) -> None:
        if not self.leads:
            return
        self._renewed = -self._duration
        body = {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}
        try:
            await self._leases.patch_namespaced_lease(
                self._name,
                self._namespace,
                body,
                _content_type="application/merge-patch+json",
                _request_timeout=self._retry * 2,
            )
        except ERRORS as error:
            log.warning("lease not given back", extra={"lease": self._name, "why": type(error).__name__})
