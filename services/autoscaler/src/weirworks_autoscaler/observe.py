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


class History:
    """Requests per second by step. A step without a sample had no load."""

    def __init__(self, channel: grpc.aio.Channel, model: str, length: timedelta, lag: timedelta) -> None:
        self._stub = TelemetryServiceStub(channel)
        self._model = model
        self._length = length
        self._lag = lag
        self._arrivals: dict[int, float] = {}
        self.step = timedelta(0)
        self.until: datetime | None = None

    async def refresh(self, now: datetime) -> None:
        """Asks for what is new. Raises grpc.aio.AioRpcError; what is known stays."""
        start = now - self._length if self.until is None else self.until - _LATE
        request = QuerySeriesRequest(model=self._model)
        request.start_time.FromDatetime(start)
        request.end_time.FromDatetime(now)
        series = (await self._stub.QuerySeries(request, timeout=_TIMEOUT)).series
        self.step = series.step.ToTimedelta()
        for sample in series.samples:
            self._arrivals[self._number(sample.start_time.ToDatetime(UTC))] = sample.arrivals
        whole = math.floor((now - self._lag).timestamp() / self.step.total_seconds())
        self.until = datetime.fromtimestamp(whole * self.step.total_seconds(), UTC)
        oldest = self._number(now - self._length)
        for number in [number for number in self._arrivals if number < oldest]:
            del self._arrivals[number]

    def loads(self) -> Loads:
        """Requests per second of every step from the first known one to `until`."""
        if self.until is None:
            return np.zeros(0)
        end = self._number(self.until)
        known = [number for number in self._arrivals if number < end]
        # Nothing known is no load either: telemetry answered, and nobody had asked for anything.
        first = min(known, default=end - 1)
        loads = np.zeros(end - first)
        for number in known:
            loads[number - first] = self._arrivals[number] / self.step.total_seconds()
        return loads

    def _number(self, time: datetime) -> int:
        return math.floor(time.timestamp() / self.step.total_seconds() + 1e-6)
