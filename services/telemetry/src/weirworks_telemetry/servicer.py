"""Answers `weirworks.telemetry.v1.TelemetryService`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg_pool import PoolTimeout
from weirworks.telemetry.v1 import telemetry_service_pb2 as service_pb2
from weirworks.telemetry.v1.series_pb2 import Series
from weirworks_rpc import Call, Violation
from weirworks_rpc.errors import StoreUnavailable
from weirworks_rpc.requests import moment, page_of, page_problems, refuse

from weirworks_telemetry.buffer import Buffer
from weirworks_telemetry.convert import COLUMNS, row_of
from weirworks_telemetry.core.rows import Batch
from weirworks_telemetry.instruments import Instruments
from weirworks_telemetry.query import Query
from weirworks_telemetry.settings import TelemetrySettings
from weirworks_telemetry.validate import check_events, check_series


class TelemetryServicer:
    """Events in, events and load history out."""

    def __init__(self, buffer: Buffer, query: Query, settings: TelemetrySettings, instruments: Instruments) -> None:
        self._buffer = buffer
        self._query = query
        self._settings = settings
        self._instruments = instruments

    async def record_events(
        self, request: service_pb2.RecordEventsRequest, _call: Call
    ) -> service_pb2.RecordEventsResponse:
        check_events(list(request.events), datetime.now(UTC), self._settings.retention)
        batch = Batch()
        for event in request.events:
            batch.add(*row_of(event))
        stored = await self._buffer.write(batch)
        self._instruments.events.labels("stored").inc(stored)
        self._instruments.events.labels("duplicate").inc(len(batch) - stored)
        return service_pb2.RecordEventsResponse(stored=stored, duplicates=len(batch) - stored)

    async def list_events(self, request: service_pb2.ListEventsRequest, _call: Call) -> service_pb2.ListEventsResponse:
        kind = request.kind or "decision"
        problems = page_problems(request.page_size, 10_000)
        if kind not in COLUMNS:
            problems.append(Violation("kind", f"must be one of {', '.join(COLUMNS)}"))
        refuse(problems)
        start = datetime.now(UTC) - timedelta(hours=1)
        if request.HasField("start_time"):
            start = moment(request.start_time, "start_time")
        async with _store():
            events, token = await self._query.events(kind, start, request.page_size or 100, request.page_token)
        return service_pb2.ListEventsResponse(events=events, next_page_token=token)

    async def list_series(self, request: service_pb2.ListSeriesRequest, _call: Call) -> service_pb2.ListSeriesResponse:
        async with _store():
            models, token = page_of(await self._query.models(), request.page_size, request.page_token)
        return service_pb2.ListSeriesResponse(series=[Series(model=model) for model in models], next_page_token=token)

    async def query_series(
        self, request: service_pb2.QuerySeriesRequest, _call: Call
    ) -> service_pb2.QuerySeriesResponse:
        problems = []
        if not request.model:
            problems.append(Violation("model", "must be a model, or '*' for all"))
        if not request.HasField("start_time"):
            problems.append(Violation("start_time", "must be set"))
        refuse(problems)
        start = moment(request.start_time, "start_time")
        end = moment(request.end_time, "end_time") if request.HasField("end_time") else datetime.now(UTC)
        async with _store():
            return service_pb2.QuerySeriesResponse(series=await self._query.series(request.model, start, end))

    async def import_series(
        self, request: service_pb2.ImportSeriesRequest, _call: Call
    ) -> service_pb2.ImportSeriesResponse:
        check_series(request.series, self._settings.step, datetime.now(UTC), self._settings.retention)
        async with _store():
            await self._query.import_series(request.series)
        return service_pb2.ImportSeriesResponse(samples=len(request.series.samples))


@asynccontextmanager
async def _store() -> AsyncIterator[None]:
    try:
        yield
    except (psycopg.OperationalError, PoolTimeout, OSError) as error:
        raise StoreUnavailable("postgres") from error
