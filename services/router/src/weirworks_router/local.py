"""Requests for local models: the cache first, then an inference endpoint."""

import asyncio
from dataclasses import dataclass

from weirworks.cache.v1.entry_pb2 import EntryKey
from weirworks_rpc import Call, WeirError

from weirworks_router.cache_edge import CacheEdge
from weirworks_router.core.types import Kind, Reason
from weirworks_router.dispatch import Dispatcher
from weirworks_router.journal import Journal, Record


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as bytes, and what its answer depends on; no key means that it is not cached."""

    method: str
    wire: bytes
    record: Record
    key: EntryKey | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer's bytes and whether they came from the cache."""

    wire: bytes
    cached: bool


class LocalRoute:
    """One way for pictures, texts and tensors."""

    def __init__(self, cache: CacheEdge | None, dispatcher: Dispatcher, journal: Journal, price: float) -> None:
        self._cache = cache
        self._dispatcher = dispatcher
        self._journal = journal
        self._price = price

    async def answer(self, ask: Ask, call: Call) -> Answer:
        """The answer; its event is written by then. Raises the endpoint's error or NoEndpoint."""
        record = ask.record
        try:
            answer = await self._answer(ask, call)
        except WeirError as error:
            self._journal.write(record, call, error.reason_word)
            raise
        except asyncio.CancelledError:
            # A caller that gave up is load all the same: most give up when there is too little capacity.
            self._journal.write(record, call, "CANCELLED")
            raise
        self._journal.write(record, call)
        return answer

    async def _answer(self, ask: Ask, call: Call) -> Answer:
        record = ask.record
        token = ""
        cache = self._cache if ask.key is not None else None
        if cache is not None and ask.key is not None:
            look = await cache.look_up(ask.key, call)
            if look.value is not None:
                record.kind, record.backend, record.reason = Kind.CACHE, "cache", Reason.CACHE_HIT
                return Answer(look.value, cached=True)
            token = look.fill_token
        # Known before it is sent, so that refused requests count as load too.
        record.kind, record.reason = Kind.INFERENCE, Reason.LEAST_LOADED
        try:
            wire, record.backend, record.fallbacks = await self._dispatcher.send(ask.method, ask.wire, call)
        except BaseException:
            if cache is not None and ask.key is not None:
                cache.release(ask.key, token, call.tenant)
            raise
        record.cost = self._price
        if cache is not None and ask.key is not None:
            cache.store(ask.key, wire, token, call.tenant)
        return Answer(wire, cached=False)
