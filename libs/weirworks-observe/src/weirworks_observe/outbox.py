"""Carries events to telemetry: spooled first, sent in batches, deleted once acknowledged.

Telemetry drops an event id that it already has, so a batch may be sent twice and counts once.
"""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import grpc
from google.protobuf.message import DecodeError
from weirworks.telemetry.v1.event_pb2 import Event
from weirworks.telemetry.v1.telemetry_service_pb2 import RecordEventsRequest
from weirworks.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceStub
from weirworks_rpc import open_channel
from weirworks_rpc.errors import StoreUnavailable

from weirworks_observe.spool import Spool, read_segment

if TYPE_CHECKING:
    from weirworks.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceAsyncStub

log = logging.getLogger(__name__)
_BATCH = 5_000
_RETRY = timedelta(seconds=0.5)
_TIMEOUT = timedelta(seconds=10)


class EventSink(Protocol):
    """Where events go."""

    def add(self, event: Event) -> None:
        """Keeps one event until telemetry has it."""


class Outbox:
    """Where a service leaves its events. `add` is called before the answer goes out."""

    def __init__(self, folder: Path, address: str, interval: timedelta) -> None:
        self._spool = Spool(folder)
        self._address = address
        self._interval = interval
        self._stopping = asyncio.Event()

    def add(self, event: Event) -> None:
        """Keeps one event until telemetry has it. Raises StoreUnavailable when the disk refuses it."""
        try:
            self._spool.append(event.SerializeToString())
        except OSError as error:
            log.exception("event not kept")
            raise StoreUnavailable("event spool") from error

    async def run(self) -> None:
        """Sends what is there every interval until `stop`; what telemetry refuses to take now, later."""
        async with open_channel(self._address) as channel:
            stub = TelemetryServiceStub(channel)
            while not self._stopping.is_set():
                wait = self._interval if await self._send_all(stub) else _RETRY
                try:
                    async with asyncio.timeout(wait.total_seconds()):
                        await self._stopping.wait()
                except TimeoutError:
                    continue
            await self._send_all(stub)
        self._spool.close()

    def stop(self) -> None:
        """Ends `run` after a last try; what it cannot send stays in the spool for the next start."""
        self._stopping.set()

    async def _send_all(self, stub: "TelemetryServiceAsyncStub") -> bool:
        self._spool.seal()
        for segment in self._spool.sealed():
            events = [event for message in read_segment(segment) if (event := _event(message)) is not None]
            for start in range(0, len(events), _BATCH):
                request = RecordEventsRequest(events=events[start : start + _BATCH])
                try:
                    await stub.RecordEvents(request, timeout=_TIMEOUT.total_seconds())
                except grpc.aio.AioRpcError as error:
                    if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                        self._set_aside(segment, error)
                        break
                    log.debug("events wait", extra={"code": error.code().name})
                    return False
            segment.unlink(missing_ok=True)
        return True

    def _set_aside(self, segment: Path, error: grpc.aio.AioRpcError) -> None:
        # Kept for a person: refused for good, and behind it everything else would wait for ever.
        kept = segment.with_suffix(".refused")
        segment.rename(kept)
        log.error("events refused", extra={"kept": kept.name, "why": error.details()})


def _event(message: bytes) -> Event | None:
    try:
        return Event.FromString(message)
    except DecodeError:
        log.exception("event does not decode")
        return None
