"""Vectors of texts that were embedded before: the last few in memory, the rest in the cache service.

A key holds the model's version and checksum and the text's digest, never the text. The cache service is asked
briefly and never fails a request; what it keeps in its tiers outlives this process.
"""

import asyncio
import hashlib
import logging
import struct
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

import grpc
import numpy as np
from numpy.typing import NDArray
from weirworks.cache.v1 import cache_service_pb2 as cache_pb2
from weirworks.cache.v1.cache_service_pb2_grpc import CacheServiceStub
from weirworks.cache.v1.entry_pb2 import EntryKey
from weirworks_rpc import headers, open_channel

log = logging.getLogger(__name__)
_HEAD = struct.Struct("<I?")
# Texts of one request that the cache service is asked for; a larger request costs less run than asked.
_ASKED = 16
_REST = 5.0


@dataclass(frozen=True, slots=True)
class Vector:
    """A text's unit vector, how many tokens the model saw, and whether its end was cut."""

    values: NDArray[np.float32]
    tokens: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """What made a vector: model, version, and its graph's checksum."""

    model: str
    version: str
    digest: str


class EmbeddingCache:
    """Least recently used goes first; `size` vectors of all tenants together, each found by its own tenant only."""

    def __init__(self, size: int, address: str, timeout: timedelta, ttl: timedelta) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[str, Origin, bytes], Vector] = OrderedDict()
        self._channel = open_channel(address) if address else None
        self._stub = CacheServiceStub(self._channel) if self._channel is not None else None
        self._timeout = timeout.total_seconds()
        self._ttl = ttl
        self._resting_until = 0.0
        self._storing: set[asyncio.Task[None]] = set()

    async def look_up(self, origin: Origin, texts: list[str], tenant: str) -> list[Vector | None]:
        """The vectors that are known, in the order of the texts."""
        found = [self._recall((tenant, origin, _digest(text))) for text in texts]
        missing = [position for position, vector in enumerate(found) if vector is None]
        if self._stub is None or not missing or len(missing) > _ASKED or time.monotonic() < self._resting_until:
            return found
        answers = await asyncio.gather(*(self._ask(origin, texts[position], tenant) for position in missing))
        for position, answer in zip(missing, answers, strict=True):
            found[position] = answer
            if answer is not None:
                self._keep((tenant, origin, _digest(texts[position])), answer)
        return found

    def store(self, origin: Origin, text: str, vector: Vector, tenant: str) -> None:
        """Keeps a vector, and hands it to the cache service behind the answer."""
        self._keep((tenant, origin, _digest(text)), vector)
        if self._stub is None or len(self._storing) >= _ASKED or time.monotonic() < self._resting_until:
            return
        task = asyncio.get_running_loop().create_task(self._send(origin, text, vector, tenant))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)

    def clear(self) -> int:
        """Forgets the vectors in memory; returns how many."""
        count = len(self._kept)
        self._kept.clear()
        return count

    async def close(self) -> None:
        """Closes the channel; stores under way are given up."""
        for task in self._storing:
            task.cancel()
        if self._channel is not None:
            await self._channel.close()

    def _recall(self, key: tuple[str, Origin, bytes]) -> Vector | None:
        vector = self._kept.get(key)
        if vector is not None:
            self._kept.move_to_end(key)
        return vector

    def _keep(self, key: tuple[str, Origin, bytes], vector: Vector) -> None:
        self._kept[key] = vector
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    async def _ask(self, origin: Origin, text: str, tenant: str) -> Vector | None:
        assert self._stub is not None
        request = cache_pb2.LookupEntryRequest(key=_entry_key(origin, text))
        try:
            response = await self._stub.LookupEntry(request, timeout=self._timeout, metadata=headers(tenant))
        except grpc.aio.AioRpcError as error:
            self._rest(error)
            return None
        return _unpacked(response.entry.value) if response.HasField("entry") else None

    async def _send(self, origin: Origin, text: str, vector: Vector, tenant: str) -> None:
        assert self._stub is not None
        request = cache_pb2.StoreEntryRequest(key=_entry_key(origin, text), value=_packed(vector))
        request.ttl.FromTimedelta(self._ttl)
        try:
            await self._stub.StoreEntry(request, timeout=self._timeout, metadata=headers(tenant))
        except grpc.aio.AioRpcError as error:
            self._rest(error)

    def _rest(self, error: grpc.aio.AioRpcError) -> None:
        if time.monotonic() >= self._resting_until:
            log.warning("cache is away", extra={"code": error.code().name})
        self._resting_until = time.monotonic() + _REST


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _entry_key(origin: Origin, text: str) -> EntryKey:
    return EntryKey(
        operation="embedding",
        model=origin.model,
        model_version=origin.version,
        parameters={"sha256": origin.digest},
        input_digest=_digest(text),
    )


def _packed(vector: Vector) -> bytes:
    return _HEAD.pack(vector.tokens, vector.truncated) + vector.values.astype("<f4").tobytes()


def _unpacked(value: bytes) -> Vector | None:
    if len(value) <= _HEAD.size or (len(value) - _HEAD.size) % 4:
        return None
    tokens, truncated = _HEAD.unpack_from(value)
    return Vector(np.frombuffer(value, "<f4", offset=_HEAD.size).astype(np.float32), tokens, truncated)
