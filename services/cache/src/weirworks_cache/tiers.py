"""The tiers in order: a hit below is carried up; a tier that is down is skipped, never an error."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from weirworks_cache.core.envelope import Entry
from weirworks_cache.store.protocol import EntryStore, StoreDown

log = logging.getLogger(__name__)
# One timeout per this many seconds is what a dead tier may cost.
_REST = 2.0


@dataclass(slots=True)
class Tier:
    """A store and what is known of it."""

    name: str
    store: EntryStore
    hits: int = 0
    resting_until: float = 0.0

    def is_available(self, clock: float) -> bool:
        """False while it is skipped after an error; `clock` is monotonic."""
        return clock >= self.resting_until


class Tiers:
    """All tiers, fastest first."""

    def __init__(self, tiers: Sequence[Tier]) -> None:
        self.tiers = list(tiers)

    async def get(self, key: bytes) -> tuple[Entry, Tier] | None:
        """The entry and the tier that had it; tiers above it have it afterwards too."""
        missed: list[Tier] = []
        for tier in self._available():
            try:
                entry = await tier.store.get(key, time.time())
            except StoreDown:
                _rest(tier)
                continue
            if entry is not None:
                tier.hits += 1
                await self._put(missed, key, entry)
                return entry, tier
            missed.append(tier)
        return None

    async def put(self, key: bytes, entry: Entry) -> list[Tier]:
        """The tiers that hold the entry now."""
        return await self._put(self._available(), key, entry)

    async def close(self) -> None:
        """Closes every store."""
        for tier in self.tiers:
            await tier.store.close()

    async def _put(self, tiers: Sequence[Tier], key: bytes, entry: Entry) -> list[Tier]:
        held = []
        for tier in tiers:
            try:
                await tier.store.put(key, entry, time.time())
            except StoreDown:
                _rest(tier)
                continue
            held.append(tier)
        return held

    def _available(self) -> list[Tier]:
        clock = time.monotonic()
        return [tier for tier in self.tiers if tier.is_available(clock)]


def _rest(tier: Tier) -> None:
    tier.resting_until = time.monotonic() + _REST
    log.warning("tier skipped", extra={"tier": tier.name, "seconds": _REST})
