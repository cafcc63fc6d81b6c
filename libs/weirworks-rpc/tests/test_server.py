import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import CollectorRegistry
from weirworks.cache.v1 import cache_service_pb2 as pb
from weirworks.router.v1 import generate_pb2, router_service_pb2
from weirworks_rpc import Call, Server, ServerOptions, Service, error_from_rpc, open_channel
from weirworks_rpc.interceptors import Metrics, Tracing
from weirworks_testkit.calls import call_bytes, refusal
from weirworks_testkit.running import serving, until

CACHE = pb.DESCRIPTOR.services_by_name["CacheService"]
ROUTER = router_service_pb2.DESCRIPTOR.services_by_name["RouterService"]
LOOKUP = "/weirworks.cache.v1.CacheService/LookupEntry"
STATS = "/weirworks.cache.v1.CacheService/GetCacheStats"
STREAM = "/weirworks.router.v1.RouterService/GenerateStream"


class Handlers:
    def __init__(self) -> None:
        self.seen: list[Call] = []
        self.cancelled = asyncio.Event()
        self.entered = asyncio.Event()

    async def lookup_entry(self, request: pb.LookupEntryRequest, call: Call) -> pb.LookupEntryResponse:
        self.seen.append(call)
        self.entered.set()
        if request.key.operation == "explode":
            raise RuntimeError("a secret of the driver")
        if request.key.operation == "hang":
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
        return pb.LookupEntryResponse(fill_token=call.tenant)

    async def generate_stream(
        self, request: generate_pb2.GenerateStreamRequest, call: Call
    ) -> AsyncIterator[generate_pb2.GenerateStreamResponse]:
        yield generate_pb2.GenerateStreamResponse(text="one")
        if request.request.prompt == "explode":
            raise RuntimeError("a secret of the driver")
        yield generate_pb2.GenerateStreamResponse(text="two")


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def address(handlers: Handlers, registry: CollectorRegistry) -> AsyncIterator[str]:
    services = [Service(CACHE, handlers), Service(ROUTER, handlers)]
    async with serving(Server(services, ServerOptions(), [Tracing(), Metrics(registry)])) as where:
        yield where


def ask(operation: str) -> bytes:
    request = pb.LookupEntryRequest()
    request.key.operation = operation
    return request.SerializeToString()


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"\xff\xff\xff", id="garbage"),
        pytest.param(b"\x0a\x7f", id="truncated"),
        pytest.param(b"\x0a\x04\x0a\x02\xff\xfe", id="invalid utf-8"),
    ],
)
async def test_bytes_that_do_not_decode_are_an_invalid_argument(address: str, wire: bytes) -> None:
    error = await refusal(address, LOOKUP, wire)
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason_word == "INVALID_FIELD"
    assert "LookupEntryRequest" in error.violations[0].description


async def test_an_unexpected_exception_leaks_nothing(address: str) -> None:
    error = await refusal(address, LOOKUP, ask("explode"))
    assert error.code is grpc.StatusCode.INTERNAL
    assert "secret" not in error.message


async def test_an_exception_in_a_stream_leaks_nothing(address: str) -> None:
    request = generate_pb2.GenerateStreamRequest(request=generate_pb2.GenerateRequest(prompt="explode"))
    async with open_channel(address) as channel:
        parts = channel.unary_stream(STREAM)(request.SerializeToString(), timeout=5)
        assert b"one" in await parts.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await parts.read()
    error = error_from_rpc(caught.value)
    assert error.code is grpc.StatusCode.INTERNAL
    assert "secret" not in error.message


async def test_a_method_without_a_handler_is_unimplemented(address: str) -> None:
    error = await refusal(address, STATS, b"")
    assert error.code is grpc.StatusCode.UNIMPLEMENTED
    assert error.reason_word == "NOT_OFFERED"


async def test_the_tenant_header_is_checked(address: str) -> None:
    async with open_channel(address) as channel:
        good = await channel.unary_unary(LOOKUP)(ask("x"), metadata=(("weirworks-tenant", "acme"),), timeout=5)
        assert b"acme" in good
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(LOOKUP)(ask("x"), metadata=(("weirworks-tenant", "A/../b"),), timeout=5)
    assert error_from_rpc(caught.value).reason_word == "INVALID_IDENTITY"


async def test_a_cancelled_caller_cancels_its_handler(address: str, handlers: Handlers) -> None:
    async with open_channel(address) as channel:
        call = channel.unary_unary(LOOKUP)(ask("hang"), timeout=30)
        waiting = asyncio.ensure_future(call.wait_for_connection())
        await handlers.entered.wait()
        call.cancel()
        await handlers.cancelled.wait()
        waiting.cancel()
    await until(lambda: handlers.seen[0].cancelled())


async def test_a_call_without_a_deadline_gets_the_servers(handlers: Handlers) -> None:
    from datetime import timedelta

    options = ServerOptions(max_deadline=timedelta(seconds=0.1))
    async with serving(Server([Service(CACHE, handlers)], options)) as where, open_channel(where) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(LOOKUP)(ask("hang"))
    assert error_from_rpc(caught.value).reason_word == "DEADLINE_EXCEEDED"


async def test_calls_are_counted_by_code_and_reason(address: str, registry: CollectorRegistry) -> None:
    await call_bytes(address, LOOKUP, ask("x"))
    await refusal(address, LOOKUP, b"\xff")
    count = registry.get_sample_value
    assert count("weirworks_rpc_handled_total", {"method": LOOKUP, "code": "OK", "reason": ""}) == 1
    refused = {"method": LOOKUP, "code": "INVALID_ARGUMENT", "reason": "INVALID_FIELD"}
    assert count("weirworks_rpc_handled_total", refused) == 1
    assert count("weirworks_rpc_in_flight", {"method": LOOKUP}) == 0


async def test_health_and_reflection_know_every_service(address: str) -> None:
    async with open_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", CACHE.full_name, ROUTER.full_name):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = stub.ServerReflectionInfo(iter([request]), timeout=5)
        names = {each.name async for part in answers for each in part.list_services_response.service}
    assert {CACHE.full_name, ROUTER.full_name, "grpc.health.v1.Health"} <= names


async def test_a_draining_server_finishes_what_it_began(handlers: Handlers) -> None:
    class Slow(Handlers):
        gate = asyncio.Event()

        async def lookup_entry(self, request: pb.LookupEntryRequest, call: Call) -> pb.LookupEntryResponse:
            self.entered.set()
            await self.gate.wait()
            return pb.LookupEntryResponse(fill_token="done")

    slow = Slow()
    server = Server([Service(CACHE, slow)], ServerOptions())
    await server.start()
    async with open_channel(server.address) as channel:
        running = asyncio.ensure_future(channel.unary_unary(LOOKUP)(ask("x"), timeout=10))
        await slow.entered.wait()
        draining = asyncio.ensure_future(server.drain())
        slow.gate.set()
        assert b"done" in await running
    await draining


def test_a_taken_port_is_an_error() -> None:
    async def both() -> None:
        first = Server([Service(CACHE, Handlers())], ServerOptions())
        await first.start()
        try:
            with pytest.raises(RuntimeError):
                Server([Service(CACHE, Handlers())], ServerOptions(port=first.port))
        finally:
            await first.drain()

    asyncio.run(both())
