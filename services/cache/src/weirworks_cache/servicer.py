"""Answers `weirworks.cache.v1.CacheService`."""

import asyncio
import time
import uuid
from datetime import UTC, datetime, timedelta

from weirworks.cache.v1 import cache_service_pb2 as service_pb2
from weirworks.cache.v1.entry_pb2 import Entry as EntryPb
from weirworks.cache.v1.entry_pb2 import EntryKey
from weirworks_rpc import Call

from weirworks_cache.core.envelope import Entry
from weirworks_cache.core.fills import Fills
from weirworks_cache.core.key import KeyParts, entry_key
from weirworks_cache.instruments import Instruments
from weirworks_cache.settings import CacheSettings
from weirworks_cache.store.memory import MemoryStore
from weirworks_cache.tiers import Tier, Tiers
from weirworks_cache.validate import check_key, check_store

_TIERS = {
    "memory": service_pb2.TIER_MEMORY,
    "redis": service_pb2.TIER_REDIS,
    "postgres": service_pb2.TIER_POSTGRES,
}
# Left for the caller to do without the cache when a fill does not come.
_SPARE = timedelta(seconds=0.5)


class CacheServicer:
    """Looks up and stores, one fill at a time for each key."""

    def __init__(self, tiers: Tiers, fills: Fills, settings: CacheSettings, instruments: Instruments) -> None:
        self._tiers = tiers
        self._fills = fills
        self._settings = settings
        self._instruments = instruments
        self._waiters: dict[bytes, asyncio.Event] = {}
        self._misses = 0
        self._shared = 0

    async def lookup_entry(
        self, request: service_pb2.LookupEntryRequest, call: Call
    ) -> service_pb2.LookupEntryResponse:
        check_key(request.key)
        key = _key_of(request.key, call)
        waited = False
        while True:
            found = await self._tiers.get(key)
            if found is not None:
                self._shared += waited
                self._instruments.lookups.labels(found[1].name).inc()
                return service_pb2.LookupEntryResponse(entry=_entry_pb(found[0]), tier=_TIERS[found[1].name])
            token = uuid.uuid4().hex
            patience = self._settings.fill_patience.total_seconds()
            if not request.wait or self._fills.lead(key, token, time.monotonic(), patience):
                self._misses += 1
                self._instruments.lookups.labels("miss").inc()
                return service_pb2.LookupEntryResponse(fill_token=token if request.wait else "")
            if call.time_remaining() <= _SPARE:
                self._misses += 1
                self._instruments.lookups.labels("miss").inc()
                return service_pb2.LookupEntryResponse()
            await self._await_fill(key, call)
            waited = True

    async def store_entry(self, request: service_pb2.StoreEntryRequest, call: Call) -> service_pb2.StoreEntryResponse:
        check_store(request)
        key = _key_of(request.key, call)
        ttl = request.ttl.ToTimedelta() if request.HasField("ttl") else self._settings.default_ttl
        now = time.time()
        held = await self._tiers.put(key, Entry(request.value, now, now + ttl.total_seconds()))
        self._fills.drop(key)
        self._wake(key)
        return service_pb2.StoreEntryResponse(tiers=[_TIERS[tier.name] for tier in held])

    async def release_fill(
        self, request: service_pb2.ReleaseFillRequest, call: Call
    ) -> service_pb2.ReleaseFillResponse:
        check_key(request.key)
        key = _key_of(request.key, call)
        if self._fills.end(key, request.fill_token):
            self._wake(key)
        return service_pb2.ReleaseFillResponse()

    async def get_cache_stats(
        self, _request: service_pb2.GetCacheStatsRequest, _call: Call
    ) -> service_pb2.GetCacheStatsResponse:
        return service_pb2.GetCacheStatsResponse(
            tiers=[_stats_pb(tier) for tier in self._tiers.tiers], misses=self._misses, shared_fills=self._shared
        )

    async def _await_fill(self, key: bytes, call: Call) -> None:
        event = self._waiters.setdefault(key, asyncio.Event())
        left = self._fills.remaining(key, time.monotonic())
        seconds = min(left, (call.time_remaining() - _SPARE).total_seconds())
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await event.wait()
        except TimeoutError:
            return

    def _wake(self, key: bytes) -> None:
        event = self._waiters.pop(key, None)
        if event is not None:
            event.set()

    def sweep(self) -> None:
        """Forgets fills that ran out and their waiters' bells."""
        now = time.monotonic()
        self._fills.sweep(now)
        for key in [key for key in self._waiters if self._fills.remaining(key, now) == 0]:
            self._wake(key)


def _key_of(key: EntryKey, call: Call) -> bytes:
    return entry_key(
        KeyParts(call.tenant, key.operation, key.model, key.model_version, dict(key.parameters), key.input_digest)
    )


def _entry_pb(entry: Entry) -> EntryPb:
    answer = EntryPb(value=entry.value)
    answer.create_time.FromDatetime(datetime.fromtimestamp(entry.created, UTC))
    answer.expire_time.FromDatetime(datetime.fromtimestamp(entry.expires, UTC))
    return answer


def _stats_pb(tier: Tier) -> service_pb2.TierStats:
    held = tier.store.bytes if isinstance(tier.store, MemoryStore) else 0
    available = tier.is_available(time.monotonic())
    return service_pb2.TierStats(tier=_TIERS[tier.name], available=available, hits=tier.hits, bytes=held)
