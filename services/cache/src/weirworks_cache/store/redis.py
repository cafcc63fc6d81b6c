"""The second tier: Valkey or Redis, shared by all replicas."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from weirworks_cache.core.envelope import Entry, seal, unseal
from weirworks_cache.store.protocol import StoreDown

_PREFIX = b"weirworks:cache:1:"


class RedisStore:
    """Entries expire by the server's own TTL; the server's memory policy evicts."""

    def __init__(self, url: str, timeout: float) -> None:
        self._redis: Redis = Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout)

    async def get(self, key: bytes, now: float) -> Entry | None:
        try:
            sealed = await self._redis.get(_PREFIX + key)
        except (TimeoutError, RedisError, OSError) as error:
            raise StoreDown("redis") from error
        entry = unseal(sealed) if isinstance(sealed, bytes) else None
        return entry if entry is not None and entry.is_fresh(now) else None

    async def put(self, key: bytes, entry: Entry, now: float) -> None:
        milliseconds = int((entry.expires - now) * 1000)
        if milliseconds < 1:
            return
        try:
            await self._redis.set(_PREFIX + key, seal(entry), px=milliseconds)
        except (TimeoutError, RedisError, OSError) as error:
            raise StoreDown("redis") from error

    async def close(self) -> None:
        await self._redis.aclose()
