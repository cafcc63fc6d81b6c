"""What a store must offer."""

from typing import Protocol

from weirworks_cache.core.envelope import Entry


class StoreDown(Exception):
    """The store did not answer in time; the next tier may."""


class EntryStore(Protocol):
    """Keeps entries by key until they expire, or until it needs the room."""

    async def get(self, key: bytes, now: float) -> Entry | None:
        """The entry when it is there and fresh at `now`. Raises StoreDown."""

    async def put(self, key: bytes, entry: Entry, now: float) -> None:
        """Keeps the entry, over an older one of the same key. Raises StoreDown."""

    async def close(self) -> None:
        """Gives its connections back."""
