import asyncio
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from weirworks.telemetry.v1.event_pb2 import Event
from weirworks_router.dispatch import Dispatcher
from weirworks_router.fleet import Fleet
from weirworks_router.instruments import Instruments
from weirworks_router.journal import Journal, Record
from weirworks_router.local import Ask, LocalRoute
from weirworks_rpc import Call, WeirError
from weirworks_rpc.call import CallState


class Hanging(Dispatcher):
    async def send(self, method: str, wire: bytes, call: Call) -> tuple[bytes, str, int]:
        await asyncio.Event().wait()
        raise AssertionError("never reached")


class Sink:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, event: Event) -> None:
        self.events.append(event)


def route(sink: Sink, dispatcher: Dispatcher) -> LocalRoute:
    return LocalRoute(None, dispatcher, Journal(sink, None, Instruments(CollectorRegistry())), 0.0001)


def call() -> CallState:
    made = CallState("/m", {}, timedelta(seconds=5).total_seconds())
    made.tenant = "t"
    return made


async def test_a_caller_that_gives_up_counts_as_load() -> None:
    sink = Sink()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await route(sink, Hanging(Fleet([], None))).answer(Ask("/m", b"", Record("infer", "m", b""), None), call())
    (event,) = sink.events
    assert (event.decision.kind, event.decision.error, event.decision.model) == ("inference", "CANCELLED", "m")


async def test_a_refused_request_counts_as_load() -> None:
    sink = Sink()
    with pytest.raises(WeirError):
        await route(sink, Dispatcher(Fleet([], None))).answer(Ask("/m", b"", Record("infer", "m", b""), None), call())
    (event,) = sink.events
    assert (event.decision.kind, event.decision.error) == ("inference", "NO_ENDPOINT")
