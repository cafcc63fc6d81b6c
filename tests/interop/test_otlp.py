"""The official SDK's OTLP exporters, in a process of their own, against telemetry."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from weirworks_engines import Engines, running_engines
from weirworks_telemetry.app import TelemetryApp
from weirworks_telemetry.settings import TelemetrySettings
from weirworks_testkit.running import running

PROGRAM = """
import logging, sys
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

where = dict(endpoint=sys.argv[1], insecure=True)
resource = Resource.create({"service.name": "caller"})
traces = TracerProvider(resource=resource)
traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(**where)))
with traces.get_tracer("t").start_as_current_span("chat") as span:
    span.set_attribute("gen_ai.prompt", "a patient's secret")
    span.set_attribute("gen_ai.request.model", "small")
metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(**where))], resource)
metrics.get_meter("m").create_counter("calls").add(3, {"kind": "x"})
metrics.get_meter("m").create_histogram("seconds").record(0.25)
logs = LoggerProvider(resource)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(**where)))
logging.getLogger("own").addHandler(LoggingHandler(logger_provider=logs))
logging.getLogger("own").warning("something happened")
for provider in (traces, metrics, logs):
    assert provider.force_flush()
    provider.shutdown()
print("exported")
"""


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    with running_engines(tmp_path_factory.mktemp("engines")) as own:
        yield own


async def test_traces_metrics_and_logs_are_in_the_database_once_acknowledged(engines: Engines, tmp_path: Path) -> None:
    settings = TelemetrySettings(data_dir=tmp_path, postgres_url=SecretStr(engines.postgres_url))
    async with running(TelemetryApp(settings, CollectorRegistry())) as address:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", "-c", PROGRAM, address, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, errors = await process.communicate()
    assert out.decode().strip() == "exported", errors.decode()[-2000:]
    with psycopg.connect(engines.postgres_url) as connection:
        (span,) = connection.execute("SELECT service, name, attributes FROM spans").fetchall()
        points = dict(connection.execute("SELECT name, value FROM metric_points").fetchall())
        logs = connection.execute("SELECT service, body FROM log_records").fetchall()
    assert span[:2] == ("caller", "chat")
    assert span[2]["gen_ai.request.model"] == "small"
    assert span[2]["gen_ai.prompt"].startswith("hmac:")
    assert "secret" not in str(span)
    assert points["calls"] == 3
    assert points["seconds"] == 0.25
    assert logs == [("caller", "something happened")]
