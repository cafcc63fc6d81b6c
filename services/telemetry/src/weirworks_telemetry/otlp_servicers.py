"""OTLP's collector services: traces, metrics and logs, acknowledged after the commit."""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from weirworks_rpc import Call

from weirworks_telemetry.buffer import Buffer
from weirworks_telemetry.core.rows import Batch
from weirworks_telemetry.otlp import Digest, log_rows, metric_rows, span_rows


class _Receiver:
    def __init__(self, buffer: Buffer, digest: Digest) -> None:
        self._buffer = buffer
        self._digest = digest

    async def _write(self, batch: Batch) -> None:
        if len(batch):
            await self._buffer.write(batch)


class TraceReceiver(_Receiver):
    """Answers `TraceService`."""

    async def export(self, request: ExportTraceServiceRequest, call: Call) -> ExportTraceServiceResponse:
        batch, rejected = span_rows(request, call.tenant, self._digest)
        await self._write(batch)
        response = ExportTraceServiceResponse()
        if rejected:
            response.partial_success.rejected_spans = rejected
            response.partial_success.error_message = "spans whose time is not in the years 2000 to 2100"
        return response


class MetricsReceiver(_Receiver):
    """Answers `MetricsService`."""

    async def export(self, request: ExportMetricsServiceRequest, call: Call) -> ExportMetricsServiceResponse:
        batch, rejected = metric_rows(request, call.tenant, self._digest)
        await self._write(batch)
        response = ExportMetricsServiceResponse()
        if rejected:
            response.partial_success.rejected_data_points = rejected
            response.partial_success.error_message = "points whose time is not in the years 2000 to 2100"
        return response


class LogsReceiver(_Receiver):
    """Answers `LogsService`."""

    async def export(self, request: ExportLogsServiceRequest, call: Call) -> ExportLogsServiceResponse:
        batch, rejected = log_rows(request, call.tenant, self._digest)
        await self._write(batch)
        response = ExportLogsServiceResponse()
        if rejected:
            response.partial_success.rejected_log_records = rejected
            response.partial_success.error_message = "records whose time is not in the years 2000 to 2100"
        return response
