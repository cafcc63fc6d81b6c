"""One contract, every implementation."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from psycopg_pool import AsyncConnectionPool
from weirworks_cache.core.envelope import Entry
from weirworks_cache.store.memory import MemoryStore
from weirworks_cache.store.postgres import PostgresStore
from weirworks_cache.store.protocol import EntryStore, StoreDown
from weirworks_cache.store.redis import RedisStore
from weirworks_engines import Engines
from weirworks_service.migrations import migrate

NOW = time.time()


@pytest.fixture(params=["memory", "redis", "postgres"])
async def store(request: pytest.FixtureRequest, engines: Engines) -> AsyncIterator[EntryStore]:
    made: EntryStore
    if request.param == "memory":
        made = MemoryStore(100_000)
    elif request.param == "redis":
        made = RedisStore(engines.redis_url, 5)
    else:
        assert await migrate(engines.postgres_url, "weirworks_cache")
        pool = AsyncConnectionPool(engines.postgres_url, min_size=1, max_size=2, open=False, timeout=5)
        await pool.open()
        made = PostgresStore(pool, 5)
    yield made
    await made.close()


def key(request: pytest.FixtureRequest, name: str = "") -> bytes:
    return f"{request.node.name}{name}".encode()


def entry(value: bytes = b"value", life: float = 100) -> Entry:
    return Entry(value, NOW, NOW + life)


async def test_what_was_put_is_found(store: EntryStore, request: pytest.FixtureRequest) -> None:
    await store.put(key(request), entry(b"\0\xff" * 50), NOW)
    assert await store.get(key(request), NOW + 1) == entry(b"\0\xff" * 50)


async def test_an_unknown_key_is_absent(store: EntryStore, request: pytest.FixtureRequest) -> None:
    assert await store.get(key(request), NOW) is None


async def test_a_newer_entry_replaces_the_older(store: EntryStore, request: pytest.FixtureRequest) -> None:
    await store.put(key(request), entry(b"old"), NOW)
    await store.put(key(request), entry(b"new"), NOW)
    found = await store.get(key(request), NOW)
    assert found is not None
    assert found.value == b"new"


async def test_an_expired_entry_is_absent(store: EntryStore, request: pytest.FixtureRequest) -> None:
    await store.put(key(request), entry(life=10), NOW)
    assert await store.get(key(request), NOW + 10) is None


async def test_an_entry_that_is_expired_already_is_not_kept(store: EntryStore, request: pytest.FixtureRequest) -> None:
    await store.put(key(request), entry(life=-1), NOW)
    assert await store.get(key(request), NOW - 5) is None


async def test_concurrent_puts_leave_one_whole_entry(store: EntryStore, request: pytest.FixtureRequest) -> None:
    values = [bytes([number]) * 1000 for number in range(10)]
    await asyncio.gather(*(store.put(key(request), entry(value), NOW) for value in values))
    found = await store.get(key(request), NOW)
    assert found is not None
    assert found.value in values


async def test_memory_evicts_the_least_recently_used() -> None:
    store = MemoryStore(3 * 1300)
    for name in (b"a", b"b", b"c"):
        await store.put(name, entry(b"x" * 1000), NOW)
    await store.get(b"a", NOW)
    await store.put(b"d", entry(b"x" * 1000), NOW)
    assert await store.get(b"b", NOW) is None
    assert await store.get(b"a", NOW) is not None
    assert store.bytes <= 3 * 1300
    await store.put(b"huge", entry(b"x" * 5000), NOW)
    assert await store.get(b"huge", NOW) is None


async def test_a_store_that_is_away_says_so_in_time() -> None:
    redis = RedisStore("redis://127.0.0.1:9", 0.2)
    pool = AsyncConnectionPool("postgresql://x@127.0.0.1:9/x", min_size=0, max_size=1, open=False, timeout=0.2)
    await pool.open()
    for store in (redis, PostgresStore(pool, 0.2)):
        with pytest.raises(StoreDown):
            await store.get(b"k", NOW)
        with pytest.raises(StoreDown):
            await store.put(b"k", entry(), NOW)
        await store.close()


async def test_postgres_sweeps_what_expired(engines: Engines) -> None:
    await migrate(engines.postgres_url, "weirworks_cache")
    pool = AsyncConnectionPool(engines.postgres_url, min_size=1, max_size=2, open=False, timeout=5)
    await pool.open()
    store = PostgresStore(pool, 5)
    # Stored as an older clock would have.
    await store.put(b"gone", Entry(b"x", NOW - 100, NOW - 50), NOW - 90)
    assert await store.sweep() >= 1
    await store.close()
