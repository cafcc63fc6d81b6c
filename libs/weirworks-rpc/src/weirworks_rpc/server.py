"""A gRPC server for plain handlers: health, reflection, drain, and errors that say what to do."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from weirworks_rpc.call import CallState
from weirworks_rpc.errors import DeadlineExceeded, Draining, Internal, InvalidFields, Violation, WeirError
from weirworks_rpc.interceptors import Deadline, Identity, Interceptor
from weirworks_rpc.service import Method, Service, encode
from weirworks_rpc.status import status_of

log = logging.getLogger(__name__)
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How a server listens and leaves."""

    host: str = "127.0.0.1"
    # 0 takes a free port.
    port: int = 0
    # grpc's own 4 MiB is too small for a batch of images; more than this is a client's mistake.
    max_message_bytes: int = 64 * 1024 * 1024
    # Calls without a deadline get this one; later ones are cut to it.
    max_deadline: timedelta = timedelta(minutes=5)
    # How long running calls may go on after the server began to drain.
    drain_grace: timedelta = timedelta(seconds=20)
    # Old connections never see new replicas, so they are closed after a while.
    max_connection_age: timedelta = timedelta(minutes=30)


class Server:
    """Serves `services` with health and reflection; `interceptors` run inside identity and deadline."""

    def __init__(
        self, services: Sequence[Service], options: ServerOptions, interceptors: Sequence[Interceptor] = ()
    ) -> None:
        self._options = options
        self._interceptors: tuple[Interceptor, ...] = (*interceptors, Identity(), Deadline())
        self._draining = False
        self._names = [service.name for service in services]
        self._server = grpc.aio.server(options=_channel_arguments(options))
        for service in services:
            handlers = {method.path.rpartition("/")[2]: self._adapt(method) for method in service.methods}
            generic = grpc.method_handlers_generic_handler(service.name, handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        known = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(known, self._server)
        self.port = self._server.add_insecure_port(f"{options.host}:{options.port}")

    @property
    def address(self) -> str:
        """`host:port` as clients dial it."""
        return f"{self._options.host}:{self.port}"

    async def start(self) -> None:
        """Listens; health says NOT_SERVING until `set_serving`."""
        await self._server.start()
        await self.set_serving(False)

    async def set_serving(self, serving: bool, name: str | None = None) -> None:
        """Sets the health of one service, or of all of them and the server as a whole."""
        if self._draining:
            return
        answer = health_pb2.HealthCheckResponse
        value = answer.SERVING if serving else answer.NOT_SERVING
        for each in [name] if name is not None else ["", *self._names]:
            await self._health.set(each, value)

    async def drain(self) -> None:
        """Says NOT_SERVING, lets running calls finish within the grace period, and stops."""
        self._draining = True
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._options.drain_grace.total_seconds())

    def _adapt(self, method: Method) -> "grpc.RpcMethodHandler[bytes, bytes]":
        if method.client_streaming:
            return grpc.stream_stream_rpc_method_handler(self._stream(method))
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(method))
        return grpc.unary_unary_rpc_method_handler(self._unary(method))

    def _unary(self, method: Method) -> Any:
        async def answer(wire: bytes, context: Context) -> bytes:
            call = self._call(method, context)
            begun: list[Interceptor] = []
            error: WeirError | None = None
            try:
                self._begin(call, begun)
                async with asyncio.timeout(call.time_remaining().total_seconds()):
                    return await _answer(method, method.decode(wire), call)
            except asyncio.CancelledError:
                call.cancel()
                raise
            except Exception as caught:
                error = _translate(caught, call)
            finally:
                _end(call, begun, error)
            assert error is not None
            await _abort(context, error)
            raise AssertionError("abort raises")

        return answer

    def _stream(self, method: Method) -> Any:
        async def answer(wire: Any, context: Context) -> AsyncIterator[bytes]:
            call = self._call(method, context)
            begun: list[Interceptor] = []
            try:
                self._begin(call, begun)
                request = _decoded(method, wire) if method.client_streaming else method.decode(wire)
                async with asyncio.timeout(call.time_remaining().total_seconds()):
                    async with aclosing(_parts(method, request, call)) as parts:
                        async for part in parts:
                            yield part
            except (asyncio.CancelledError, GeneratorExit):
                call.cancel()
                _end(call, begun, None)
                raise
            except Exception as caught:
                error = _translate(caught, call)
                _end(call, begun, error)
                await _abort(context, error)
            else:
                _end(call, begun, None)

        return answer

    def _call(self, method: Method, context: Context) -> CallState:
        limit = self._options.max_deadline.total_seconds()
        remaining: Any = context.time_remaining()
        seconds = limit if remaining is None else min(limit, remaining)
        # The stubs say that every value is bytes; they are text but for names that end in -bin.
        pairs: Any = context.invocation_metadata() or ()
        return CallState(method.path, {k: v for k, v in pairs if isinstance(v, str)}, seconds)

    def _begin(self, call: CallState, begun: list[Interceptor]) -> None:
        for interceptor in self._interceptors:
            interceptor.begin(call)
            begun.append(interceptor)
        if self._draining:
            raise Draining


def _end(call: CallState, begun: list[Interceptor], error: WeirError | None) -> None:
    for interceptor in reversed(begun):
        interceptor.end(call, error)


async def _answer(method: Method, request: Any, call: CallState) -> bytes:
    answer = method.handler(request, call)
    assert isinstance(answer, Awaitable)
    return encode(await answer)


async def _parts(method: Method, request: Any, call: CallState) -> AsyncGenerator[bytes, None]:
    parts = method.handler(request, call)
    assert isinstance(parts, AsyncIterator)
    async for part in parts:
        yield encode(part)


async def _decoded(method: Method, wires: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for wire in wires:
        yield method.decode(wire)


def _translate(caught: Exception, call: CallState) -> WeirError:
    if isinstance(caught, WeirError):
        return caught
    if isinstance(caught, TimeoutError):
        return DeadlineExceeded()
    if isinstance(caught, UnicodeEncodeError):
        return InvalidFields([Violation("request", "text must be valid UTF-8")])
    log.error("internal error", exc_info=caught, extra={"method": call.method, "request_id": call.request_id})
    return Internal(call.request_id)


async def _abort(context: Context, error: WeirError) -> None:
    if error.retry_after is not None:
        milliseconds = str(int(error.retry_after.total_seconds() * 1000))
        # gRPC's own retries ignore RetryInfo and read this instead.
        context.set_trailing_metadata((("grpc-retry-pushback-ms", milliseconds),))
    await context.abort_with_status(rpc_status.to_status(status_of(error)))


def _channel_arguments(options: ServerOptions) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", options.max_message_bytes),
        ("grpc.max_send_message_length", options.max_message_bytes),
        ("grpc.max_connection_age_ms", int(options.max_connection_age.total_seconds() * 1000)),
        ("grpc.max_connection_age_grace_ms", int(options.drain_grace.total_seconds() * 1000)),
        # A port that is taken is an error, not a second listener that steals half of the calls.
        ("grpc.so_reuseport", 0),
    ]
