import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import psycopg
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from weirworks.telemetry.v1 import telemetry_service_pb2 as pb
from weirworks.telemetry.v1.event_pb2 import DecisionEvent, Event, InferenceEvent, ScalingEvent
from weirworks.telemetry.v1.series_pb2 import Sample, Series
from weirworks.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceStub
from weirworks_engines import Engines, running_engines
from weirworks_rpc import InvalidFields, error_from_rpc, open_channel
from weirworks_telemetry.app import TelemetryApp
from weirworks_telemetry.buffer import Buffer
from weirworks_telemetry.core.rows import Batch
from weirworks_telemetry.errors import BufferFull
from weirworks_telemetry.settings import TelemetrySettings
from weirworks_testkit.calls import call_bytes, refusal
from weirworks_testkit.running import running

SERVICE = "/weirworks.telemetry.v1.TelemetryService"


@pytest.fixture
def settings(engines: Engines, tmp_path: Path) -> TelemetrySettings:
    return TelemetrySettings(data_dir=tmp_path, postgres_url=SecretStr(engines.postgres_url))


@pytest.fixture
async def address(settings: TelemetrySettings) -> AsyncIterator[str]:
    async with running(TelemetryApp(settings, CollectorRegistry())) as where:
        yield where


@pytest.fixture
async def stub(address: str) -> AsyncIterator[TelemetryServiceStub]:
    async with open_channel(address) as channel:
        yield TelemetryServiceStub(channel)


def decision(model: str, when: datetime | None = None, **fields: object) -> Event:
    given = {"kind": "inference", "operation": "classify-image", **fields}
    event = Event(id=str(uuid.uuid4()), tenant="t", decision=DecisionEvent(model=model, **given))
    event.event_time.FromDatetime(when or datetime.now(UTC))
    event.decision.latency.FromTimedelta(timedelta(seconds=0.5))
    return event


async def record(stub: TelemetryServiceStub, *events: Event) -> pb.RecordEventsResponse:
    return await stub.RecordEvents(pb.RecordEventsRequest(events=events), timeout=20)


async def history(stub: TelemetryServiceStub, model: str, days: float = 1) -> Series:
    request = pb.QuerySeriesRequest(model=model)
    request.start_time.FromDatetime(datetime.now(UTC) - timedelta(days=days))
    return (await stub.QuerySeries(request, timeout=20)).series


async def test_an_event_sent_twice_is_stored_once_and_counts_once(stub: TelemetryServiceStub) -> None:
    event = decision("twice")
    assert (await record(stub, event)).stored == 1
    again = await record(stub, event, event)
    assert (again.stored, again.duplicates) == (0, 2)
    assert sum(sample.arrivals for sample in (await history(stub, "twice")).samples) == 1


async def test_the_load_history_counts_by_step_and_kind(stub: TelemetryServiceStub) -> None:
    # On a whole step of 10 s, a while ago.
    start = datetime.fromtimestamp(datetime.now(UTC).timestamp() // 10 * 10 - 600, UTC)
    await record(
        stub,
        decision("steps", start + timedelta(seconds=1)),
        decision("steps", start + timedelta(seconds=9.9), error="QUEUE_FULL"),
        decision("steps", start + timedelta(seconds=10.1)),
        decision("steps", start + timedelta(seconds=2), kind="cache"),
    )
    samples = (await history(stub, "steps")).samples
    assert [(each.arrivals, each.cache_hits, each.errors) for each in samples] == [(2, 1, 1), (1, 0, 0)]
    assert samples[0].start_time.ToDatetime(UTC) == start
    assert samples[0].latency_sum.ToTimedelta() == timedelta(seconds=1)


async def test_events_come_back_as_they_were_newest_first(stub: TelemetryServiceStub) -> None:
    now = datetime.now(UTC)
    events = [decision("list", now + timedelta(seconds=number), input_hash=b"h" * 32) for number in range(3)]
    inference = Event(id=str(uuid.uuid4()), inference=InferenceEvent(model="list", endpoint="e", rows=2))
    scaling = Event(id=str(uuid.uuid4()), scaling=ScalingEvent(scaler="list", from_replicas=1, to_replicas=2))
    for event in (inference, scaling):
        event.event_time.FromDatetime(now)
    await record(stub, *events, inference, scaling)
    seen: list[Event] = []
    token = ""
    while True:
        request = pb.ListEventsRequest(page_size=2, page_token=token)
        request.start_time.FromDatetime(now)
        page = await stub.ListEvents(request, timeout=20)
        seen += page.events
        token = page.next_page_token
        if not token:
            break
    assert [each.id for each in seen if each.decision.model == "list"] == [each.id for each in reversed(events)]
    assert seen[0].decision.input_hash == b"h" * 32
    for kind, event in (("inference", inference), ("scaling", scaling)):
        listed = (await stub.ListEvents(pb.ListEventsRequest(kind=kind), timeout=20)).events
        assert event.id in [each.id for each in listed]


async def test_imported_history_replaces_and_lists(stub: TelemetryServiceStub) -> None:
    when = datetime.now(UTC) - timedelta(days=2)
    for arrivals in (5.0, 7.0):
        sample = Sample(arrivals=arrivals)
        sample.start_time.FromDatetime(when)
        series = Series(model="imported", samples=[sample])
        await stub.ImportSeries(pb.ImportSeriesRequest(series=series), timeout=20)
    assert [each.arrivals for each in (await history(stub, "imported", days=3)).samples] == [7.0]
    models = (await stub.ListSeries(pb.ListSeriesRequest(page_size=1000), timeout=20)).series
    assert "imported" in [each.model for each in models]


async def test_old_events_go_into_the_partition_of_their_day(stub: TelemetryServiceStub, engines: Engines) -> None:
    when = datetime.now(UTC) - timedelta(days=9)
    await record(stub, decision("old", when))
    async with await psycopg.AsyncConnection.connect(engines.postgres_url) as connection:
        cursor = await connection.execute(f"SELECT count(*) FROM decision_events_p{when:%Y%m%d} WHERE model = 'old'")
        assert await cursor.fetchone() == (1,)


async def test_partitions_past_retention_are_dropped(settings: TelemetrySettings, engines: Engines) -> None:
    async with await psycopg.AsyncConnection.connect(engines.postgres_url, autocommit=True) as connection:
        async with running(TelemetryApp(settings, CollectorRegistry())):
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS spans_p20200101 PARTITION OF spans "
                "FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00')"
            )
        async with running(TelemetryApp(settings, CollectorRegistry())):
            cursor = await connection.execute("SELECT count(*) FROM pg_class WHERE relname = 'spans_p20200101'")
            assert await cursor.fetchone() == (0,)


def broken(**fields: object) -> Event:
    event = decision("bad")
    for name, value in fields.items():
        if name == "event_time":
            event.event_time.seconds = value
        else:
            setattr(event, name, value)
    return event


@pytest.mark.parametrize(
    ("events", "field"),
    [
        pytest.param([], "events", id="none"),
        pytest.param([broken(id="x")], "events[0].id", id="id"),
        pytest.param([broken(event_time=0)], "events[0].event_time", id="older than the retention"),
        pytest.param([broken(event_time=4_000_000_000)], "events[0].event_time", id="future"),
        pytest.param([broken(event_time=10**15)], "events[0].event_time", id="no such year"),
        pytest.param([decision("ok"), Event(id=str(uuid.uuid4()))], "events[1].kind", id="no kind"),
    ],
)
async def test_bad_events_are_refused_whole(address: str, events: list[Event], field: str) -> None:
    error = await refusal(address, f"{SERVICE}/RecordEvents", pb.RecordEventsRequest(events=events).SerializeToString())
    assert field in [violation.field for violation in error.violations]


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        pytest.param("QuerySeries", pb.QuerySeriesRequest(), id="query of nothing"),
        pytest.param("ImportSeries", pb.ImportSeriesRequest(), id="import of nothing"),
        pytest.param("ListEvents", pb.ListEventsRequest(kind="x"), id="unknown kind"),
        pytest.param("ListEvents", pb.ListEventsRequest(page_token="x"), id="token"),
        pytest.param("ListSeries", pb.ListSeriesRequest(page_size=-1), id="page size"),
    ],
)
async def test_bad_requests_are_refused(address: str, method: str, request_: object) -> None:
    error = await refusal(address, f"{SERVICE}/{method}", request_.SerializeToString())
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_text_with_nul_is_stored_without_it(stub: TelemetryServiceStub) -> None:
    assert (await record(stub, decision("nul\0model"))).stored == 1
    assert len((await history(stub, "nulmodel")).samples) == 1


async def test_a_full_buffer_refuses_with_a_retry_time() -> None:
    gate = asyncio.Event()

    async def write(batch: Batch) -> int:
        await gate.wait()
        return len(batch)

    def rows(count: int) -> Batch:
        batch = Batch()
        for number in range(count):
            batch.add("decision_events", (number,))
        return batch

    buffer = Buffer(write, limit=3)
    running_buffer = asyncio.create_task(buffer.run())
    first = asyncio.create_task(buffer.write(rows(2)))
    await asyncio.sleep(0)
    with pytest.raises(BufferFull) as caught:
        await buffer.write(rows(2))
    assert caught.value.retry_after
    gate.set()
    assert await first == 2
    assert await buffer.write(rows(3)) == 3
    running_buffer.cancel()


async def test_a_bad_value_of_one_caller_costs_the_others_nothing() -> None:
    async def write(batch: Batch) -> int:
        if any(row == ("bad",) for row in batch.rows["spans"]):
            raise psycopg.DataError("a secret of the driver")
        return 0

    def rows(value: str) -> Batch:
        batch = Batch()
        batch.add("spans", (value,))
        return batch

    buffer = Buffer(write, limit=10)
    writes = [asyncio.create_task(buffer.write(rows(value))) for value in ("good", "bad", "better")]
    await asyncio.sleep(0)
    running_buffer = asyncio.create_task(buffer.run())
    good, bad, better = await asyncio.gather(*writes, return_exceptions=True)
    running_buffer.cancel()
    assert (good, better) == (0, 0)
    assert isinstance(bad, InvalidFields)
    assert "secret" not in bad.message


async def test_a_database_that_goes_away_is_told_and_nothing_is_acknowledged(tmp_path: Path) -> None:
    with running_engines(tmp_path) as own:
        settings = TelemetrySettings(data_dir=tmp_path, postgres_url=SecretStr(own.postgres_url))
        async with running(TelemetryApp(settings, CollectorRegistry())) as where, open_channel(where) as channel:
            stub = TelemetryServiceStub(channel)
            await record(stub, decision("before"))
            async with await psycopg.AsyncConnection.connect(own.postgres_url, autocommit=True) as connection:
                await connection.execute("ALTER TABLE decision_events RENAME TO elsewhere")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await record(stub, decision("during"))
            error = error_from_rpc(caught.value)
            assert error.reason_word == "STORE_UNAVAILABLE"
            assert "elsewhere" not in error.message
            assert "decision_events" not in error.message


async def test_bytes_that_are_no_message_are_refused(address: str) -> None:
    otlp = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    for method in (f"{SERVICE}/RecordEvents", otlp):
        error = await refusal(address, method, b"\xff\xff\xff")
        assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert await call_bytes(address, otlp, b"") == b""
