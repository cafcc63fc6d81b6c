"""A telemetry that tests speak for: the load they set, and the events that come."""

from datetime import UTC, datetime, timedelta

from weirworks.telemetry.v1 import telemetry_service_pb2
from weirworks.telemetry.v1.event_pb2 import Event
from weirworks.telemetry.v1.series_pb2 import Sample, Series
from weirworks_rpc import Call, Service
from weirworks_rpc.errors import StoreUnavailable


class SaidTelemetry:
    """`load` arrivals in each of the last `reach` seconds; None is an outage."""

    def __init__(self) -> None:
        self.load: float | None = 0.0
        self.reach = 30
        self.events: list[Event] = []

    @property
    def service(self) -> Service:
        """As a server takes it."""
        return Service(telemetry_service_pb2.DESCRIPTOR.services_by_name["TelemetryService"], self)

    async def query_series(
        self, request: telemetry_service_pb2.QuerySeriesRequest, _call: Call
    ) -> telemetry_service_pb2.QuerySeriesResponse:
        if self.load is None:
            raise StoreUnavailable("postgres")
        series = Series(model=request.model)
        series.step.FromTimedelta(timedelta(seconds=1))
        now = int(datetime.now(UTC).timestamp())
        for second in range(max(now - self.reach, request.start_time.seconds), now):
            sample = Sample(arrivals=self.load)
            sample.start_time.seconds = second
            series.samples.append(sample)
        return telemetry_service_pb2.QuerySeriesResponse(series=series)

    async def record_events(
        self, request: telemetry_service_pb2.RecordEventsRequest, _call: Call
    ) -> telemetry_service_pb2.RecordEventsResponse:
        self.events += request.events
        return telemetry_service_pb2.RecordEventsResponse(stored=len(request.events))
