"""Asks the cache, and never fails or delays a request much because of it."""

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import timedelta

import grpc
from weirworks.cache.v1 import cache_service_pb2 as cache_pb2
from weirworks.cache.v1.cache_service_pb2_grpc import CacheServiceStub
from weirworks.cache.v1.entry_pb2 import EntryKey
from weirworks_rpc import Call, headers, open_channel

log = logging.getLogger(__name__)
_FIRST_REST, _LONGEST_REST = 1.0, 30.0
_WAITING_STORES = 1_000
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Look:
    """What a look-up gave: the answer, or leave to make it."""

    value: bytes | None = None
    fill_token: str = ""


class CacheEdge:
    """The router's side of the cache. Stores run behind the answer, in a bounded line."""

    def __init__(self, address: str, ttl: timedelta, timeout: timedelta, patience: timedelta) -> None:
        self._channel = open_channel(address)
        self._stub = CacheServiceStub(self._channel)
        self._ttl = ttl
        self._timeout = timeout.total_seconds()
        self._patience = patience.total_seconds()
        self._failures = 0
        self._resting_until = 0.0
        self._stores: asyncio.Queue[tuple[EntryKey, bytes, str, str]] = asyncio.Queue(_WAITING_STORES)

    async def look_up(self, key: EntryKey, call: Call) -> Look:
        """The answer, or nothing; while the cache is away always nothing.

        Joins single flight: when another caller is making the same answer, this waits for it a while.
        """
        timeout = min(self._patience, _half_of_the_rest(call))
        return await self._ask(key, call, wait=True, timeout=timeout)

    async def look_up_slow(self, key: EntryKey, call: Call) -> Look:
        """The same for answers that take seconds: waits for another caller's for half of the time that is left.

        A quick look first, so that a cache that hangs is found out before anybody waits for it so long.
        """
        look = await self._ask(key, call, wait=False, timeout=min(self._timeout, _half_of_the_rest(call)))
        if look.value is not None or self._failures:
            return look
        return await self._ask(key, call, wait=True, timeout=_half_of_the_rest(call))

    async def _ask(self, key: EntryKey, call: Call, *, wait: bool, timeout: float) -> Look:
        if time.monotonic() < self._resting_until:
            return Look()
        request = cache_pb2.LookupEntryRequest(key=key, wait=wait)
        try:
            response = await self._stub.LookupEntry(request, timeout=timeout, metadata=headers(call.tenant))
        except grpc.aio.AioRpcError as error:
            self._rest(error)
            return Look()
        self._failures = 0
        if response.HasField("entry"):
            return Look(response.entry.value)
        return Look(None, response.fill_token)

    def store(self, key: EntryKey, value: bytes, token: str, tenant: str) -> None:
        """Leaves an answer to be stored; dropped when the line is full or the answer too large."""
        if len(value) > _LARGEST:
            value = b""
        try:
            self._stores.put_nowait((key, value, token, tenant))
        except asyncio.QueueFull:
            log.warning("store dropped")

    def release(self, key: EntryKey, token: str, tenant: str) -> None:
        """Lets another caller make the answer that this one could not make."""
        if token:
            self.store(key, b"", token, tenant)

    async def run(self) -> None:
        """Stores what waits until cancelled."""
        while True:
            key, value, token, tenant = await self._stores.get()
            try:
                await self._send(key, value, token, tenant)
            except grpc.aio.AioRpcError as error:
                self._rest(error)

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()

    def _rest(self, error: grpc.aio.AioRpcError) -> None:
        rest = min(_LONGEST_REST, _FIRST_REST * 2**self._failures)
        self._failures += 1
        self._resting_until = time.monotonic() + rest
        log.warning("cache skipped", extra={"code": error.code().name, "seconds": rest})

    async def _send(self, key: EntryKey, value: bytes, token: str, tenant: str) -> None:
        if not value:
            request = cache_pb2.ReleaseFillRequest(key=key, fill_token=token)
            await self._stub.ReleaseFill(request, timeout=self._timeout, metadata=headers(tenant))
            return
        entry = cache_pb2.StoreEntryRequest(key=key, value=value, fill_token=token)
        entry.ttl.FromTimedelta(self._ttl)
        await self._stub.StoreEntry(entry, timeout=1.0, metadata=headers(tenant))


def _half_of_the_rest(call: Call) -> float:
    """Seconds; the other half is for doing without."""
    return call.time_remaining().total_seconds() / 2
