import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from weirworks.cache.v1 import cache_service_pb2 as pb
from weirworks.cache.v1.cache_service_pb2_grpc import CacheServiceStub
from weirworks.cache.v1.entry_pb2 import EntryKey
from weirworks_cache.app import CacheApp
from weirworks_cache.settings import CacheSettings
from weirworks_engines import Engines
from weirworks_rpc import error_from_rpc, open_channel
from weirworks_testkit.running import running, until


@pytest.fixture
def settings(engines: Engines, tmp_path: Path) -> CacheSettings:
    return CacheSettings(
        data_dir=tmp_path,
        redis_url=SecretStr(engines.redis_url),
        postgres_url=SecretStr(engines.postgres_url),
        store_timeout=5,
    )


@pytest.fixture
async def stub(settings: CacheSettings) -> AsyncIterator[CacheServiceStub]:
    async with running(CacheApp(settings, CollectorRegistry())) as where, open_channel(where) as channel:
        yield CacheServiceStub(channel)


def key(name: str) -> EntryKey:
    return EntryKey(operation=name, input_digest=bytes(32))


async def store(stub: CacheServiceStub, name: str, value: bytes = b"answer", **fields: object) -> pb.StoreEntryResponse:
    return await stub.StoreEntry(pb.StoreEntryRequest(key=key(name), value=value, **fields), timeout=10)


async def look(stub: CacheServiceStub, name: str, wait: bool = False) -> pb.LookupEntryResponse:
    return await stub.LookupEntry(pb.LookupEntryRequest(key=key(name), wait=wait), timeout=10)


async def stored_everywhere(stub: CacheServiceStub, name: str) -> bool:
    return len((await store(stub, name)).tiers) == 3


async def test_an_answer_is_stored_in_all_tiers_and_found_in_the_first(stub: CacheServiceStub) -> None:
    # PostgreSQL joins once its table is there.
    await until(lambda: stored_everywhere(stub, "all"))
    found = await look(stub, "all")
    assert (found.entry.value, found.tier) == (b"answer", pb.TIER_MEMORY)


async def test_a_restarted_cache_finds_it_below_and_carries_it_up(settings: CacheSettings) -> None:
    tiers = []
    async with running(CacheApp(settings, CollectorRegistry())) as where, open_channel(where) as channel:
        stub = CacheServiceStub(channel)
        await until(lambda: stored_everywhere(stub, "restart"))
    async with running(CacheApp(settings, CollectorRegistry())) as where, open_channel(where) as channel:
        stub = CacheServiceStub(channel)
        tiers += [(await look(stub, "restart")).tier for _ in range(2)]
    assert tiers == [pb.TIER_REDIS, pb.TIER_MEMORY]


async def test_postgres_alone_remembers(settings: CacheSettings) -> None:
    async with running(CacheApp(settings, CollectorRegistry())) as where, open_channel(where) as channel:
        stub = CacheServiceStub(channel)
        await until(lambda: stored_everywhere(stub, "deep"))
    alone = settings.model_copy(update={"redis_url": SecretStr("")})
    async with running(CacheApp(alone, CollectorRegistry())) as where, open_channel(where) as channel:
        assert (await look(CacheServiceStub(channel), "deep")).tier == pb.TIER_POSTGRES


async def test_tiers_that_are_down_are_skipped(tmp_path: Path) -> None:
    settings = CacheSettings(
        data_dir=tmp_path,
        redis_url=SecretStr("redis://127.0.0.1:9"),
        postgres_url=SecretStr("postgresql://x@127.0.0.1:9/x"),
    )
    async with running(CacheApp(settings, CollectorRegistry())) as where, open_channel(where) as channel:
        stub = CacheServiceStub(channel)
        assert list((await store(stub, "down")).tiers) == [pb.TIER_MEMORY]
        assert (await look(stub, "down")).entry.value == b"answer"
        stats = await stub.GetCacheStats(pb.GetCacheStatsRequest(), timeout=10)
    assert [tier.available for tier in stats.tiers] == [True, False, False]


async def test_of_many_who_miss_one_fills_and_the_rest_get_its_answer(stub: CacheServiceStub) -> None:
    first = await look(stub, "flight", wait=True)
    assert first.fill_token
    waiting = [asyncio.ensure_future(look(stub, "flight", wait=True)) for _ in range(5)]
    await store(stub, "flight", fill_token=first.fill_token)
    assert {(await each).entry.value for each in waiting} == {b"answer"}


async def test_a_fill_given_back_goes_to_the_next(stub: CacheServiceStub) -> None:
    first = await look(stub, "release", wait=True)
    second = asyncio.ensure_future(look(stub, "release", wait=True))
    request = pb.ReleaseFillRequest(key=key("release"), fill_token=first.fill_token)
    await stub.ReleaseFill(request, timeout=10)
    assert (await second).fill_token not in ("", first.fill_token)


async def test_tenants_do_not_see_each_others_entries(stub: CacheServiceStub) -> None:
    await store(stub, "tenant")
    request = pb.LookupEntryRequest(key=key("tenant"))
    other = await stub.LookupEntry(request, timeout=10, metadata=(("weirworks-tenant", "other"),))
    assert not other.HasField("entry")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        pytest.param(pb.StoreEntryRequest(key=key("x")), "value", id="no value"),
        pytest.param(pb.StoreEntryRequest(key=key("x"), value=b"v" * (4 * 1024 * 1024 + 1)), "value", id="oversize"),
        pytest.param(pb.StoreEntryRequest(key=EntryKey(operation="x"), value=b"v"), "key.input_digest", id="no digest"),
        pytest.param(pb.StoreEntryRequest(key=key(""), value=b"v"), "key.operation", id="no operation"),
        pytest.param(pb.StoreEntryRequest(key=key("x"), value=b"v", ttl={"seconds": -1}), "ttl", id="negative ttl"),
        pytest.param(pb.StoreEntryRequest(key=key("x"), value=b"v", ttl={"seconds": 10**9}), "ttl", id="long ttl"),
    ],
)
async def test_a_bad_store_is_refused(stub: CacheServiceStub, request_: pb.StoreEntryRequest, field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.StoreEntry(request_, timeout=10)
    assert field in [violation.field for violation in error_from_rpc(caught.value).violations]


async def test_bad_look_ups_are_refused(stub: CacheServiceStub) -> None:
    for call, request in (
        (stub.LookupEntry, pb.LookupEntryRequest()),
        (stub.ReleaseFill, pb.ReleaseFillRequest()),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(request, timeout=10)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
