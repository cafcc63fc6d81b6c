"""The load history of one model, kept here and brought up to date from telemetry."""

import math
from datetime import UTC, datetime, timedelta

import grpc
import numpy as np
from weirworks.telemetry.v1.telemetry_service_pb2 import QuerySeriesRequest
from weirworks.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceStub

from weirworks_autoscaler.core.types import Loads

_TIMEOUT = 5.0
# Events of a step may come this much later than the step itself: a restart of telemetry, say.
_LATE = timedelta(minutes=1)
_ROOM = 1_000


class History:
    """Requests per second by step. A step without a sample had no load."""

    def __init__(self, channel: grpc.aio.Channel, model: str, length: timedelta, lag: timedelta) -> None:
        self._stub = TelemetryServiceStub(channel)
        self._model = model
        self._length = length
        self._lag = lag
        # Loads from step `_first` on; the array is longer than what is known, so that a step costs no copy.
        self._loads: Loads = np.zeros(0)
        self._first: int | None = None
        self.step = timedelta(0)
        self.until: datetime | None = None

    async def refresh(self, now: datetime) -> None:
        """Asks for what is new. Raises grpc.aio.AioRpcError; what is known stays."""
        # While nothing is known, all of it is asked for: it may be brought in later.
        start = now - self._length if self.until is None or self._first is None else self.until - _LATE
        request = QuerySeriesRequest(model=self._model)
        request.start_time.FromDatetime(start)
        request.end_time.FromDatetime(now)
        series = (await self._stub.QuerySeries(request, timeout=_TIMEOUT)).series
        self.step = series.step.ToTimedelta()
        seconds = self.step.total_seconds()
        for sample in series.samples:
            self._put(self._number(sample.start_time.ToDatetime(UTC)), sample.arrivals / seconds)
        whole = math.floor((now - self._lag).timestamp() / seconds)
        self.until = datetime.fromtimestamp(whole * seconds, UTC)

    def loads(self) -> Loads:
        """Requests per second of every step from the first known one to `until`."""
        if self.until is None:
            return np.zeros(0)
        end = self._number(self.until)
        # Nothing known is no load either: telemetry answered, and nobody had asked for anything.
        if self._first is None or self._first >= end:
            return np.zeros(1)
        self._reach(end - 1)
        return self._loads[: end - self._first]

    def _put(self, number: int, load: float) -> None:
        if self._first is None:
            self._first = number
        if number < self._first:
            self._loads = np.concatenate((np.zeros(self._first - number), self._loads))
            self._first = number
        self._reach(number)
        self._loads[number - self._first] = load

    def _reach(self, number: int) -> None:
        """Room for a step; what is older than the history goes when room is made."""
        assert self._first is not None
        missing = number - self._first + 1 - len(self._loads)
        if missing <= 0:
            return
        old = number - self._first - math.ceil(self._length / self.step)
        if old > 0:
            self._loads = self._loads[old:]
            self._first += old
        self._loads = np.concatenate((self._loads, np.zeros(missing + _ROOM)))

    def _number(self, time: datetime) -> int:
        return math.floor(time.timestamp() / self.step.total_seconds() + 1e-6)
