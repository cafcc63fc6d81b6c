"""The first tier: a dictionary in this process, least recently used out first."""

from collections import OrderedDict

from weirworks_cache.core.envelope import Entry

# Key, entry, and the two objects that hold them; measured once with tracemalloc.
_OVERHEAD = 300


class MemoryStore:
    """Holds at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self.bytes = 0

    async def get(self, key: bytes, now: float) -> Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if not entry.is_fresh(now):
            self._remove(key)
            return None
        self._entries.move_to_end(key)
        return entry

    async def put(self, key: bytes, entry: Entry, now: float) -> None:
        self._remove(key)
        if not entry.is_fresh(now) or _size(entry) > self._limit:
            return
        self._entries[key] = entry
        self.bytes += _size(entry)
        while self.bytes > self._limit:
            self._remove(next(iter(self._entries)))

    async def close(self) -> None:
        self._entries.clear()
        self.bytes = 0

    def _remove(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= _size(entry)


def _size(entry: Entry) -> int:
    return len(entry.value) + _OVERHEAD
