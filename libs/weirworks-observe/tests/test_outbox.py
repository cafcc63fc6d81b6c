import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from weirworks.telemetry.v1 import telemetry_service_pb2 as pb
from weirworks.telemetry.v1.event_pb2 import Event
from weirworks_observe.outbox import Outbox
from weirworks_rpc import Call, InvalidFields, Server, ServerOptions, Service, Violation
from weirworks_rpc.errors import StoreUnavailable
from weirworks_testkit.running import serving, until

SERVICE = pb.DESCRIPTOR.services_by_name["TelemetryService"]


class Telemetry:
    def __init__(self) -> None:
        self.ids: list[str] = []
        self.failures = 0
        self.refuse = False

    async def record_events(self, request: pb.RecordEventsRequest, _call: Call) -> pb.RecordEventsResponse:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("postgres")
        if self.refuse:
            raise InvalidFields([Violation("events[0].id", "must be a UUID")])
        self.ids += [event.id for event in request.events]
        return pb.RecordEventsResponse(stored=len(request.events))


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
async def address(telemetry: Telemetry) -> AsyncIterator[str]:
    async with serving(Server([Service(SERVICE, telemetry)], ServerOptions())) as where:
        yield where


def events(count: int) -> list[Event]:
    return [Event(id=str(uuid.uuid4())) for _ in range(count)]


def outbox(folder: Path, address: str) -> Outbox:
    return Outbox(folder, address, timedelta(seconds=0.01))


async def test_events_arrive_after_failures(tmp_path: Path, telemetry: Telemetry, address: str) -> None:
    telemetry.failures = 2
    box = outbox(tmp_path, address)
    sent = events(3)
    for event in sent:
        box.add(event)
    running = asyncio.create_task(box.run())
    await until(lambda: len(telemetry.ids) == 3)
    assert telemetry.ids == [event.id for event in sent]
    box.stop()
    await running
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


async def test_what_a_killed_process_left_is_sent_by_the_next(
    tmp_path: Path, telemetry: Telemetry, address: str
) -> None:
    left = events(2)
    killed = outbox(tmp_path, "127.0.0.1:9")
    for event in left:
        killed.add(event)
    killed._spool._file.close()
    killed._spool._lock.close()
    box = outbox(tmp_path, address)
    running = asyncio.create_task(box.run())
    await until(lambda: len(telemetry.ids) == 2)
    box.stop()
    await running
    assert telemetry.ids == [event.id for event in left]


async def test_events_refused_for_good_are_kept_aside(tmp_path: Path, telemetry: Telemetry, address: str) -> None:
    telemetry.refuse = True
    box = outbox(tmp_path, address)
    box.add(events(1)[0])
    running = asyncio.create_task(box.run())
    await until(lambda: bool(list(tmp_path.glob("*.refused"))))
    telemetry.refuse = False
    after = events(1)[0]
    box.add(after)
    await until(lambda: telemetry.ids == [after.id])
    box.stop()
    await running


async def test_stopping_sends_what_waits(tmp_path: Path, telemetry: Telemetry, address: str) -> None:
    box = Outbox(tmp_path, address, timedelta(hours=1))
    running = asyncio.create_task(box.run())
    await asyncio.sleep(0)
    event = events(1)[0]
    box.add(event)
    box.stop()
    await running
    assert telemetry.ids == [event.id]
