"""OTLP's collector services: traces, metrics and logs, acknowledged after the commit."""

from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from weirworks_rpc import Call

from weirworks_telemetry.buffer import Buffer
from weirworks_telemetry.core.rows import Batch
from weirworks_telemetry.otlp import Digest, log_rows, metric_rows, span_rows

# The three services differ in their messages only; (request, tenant, digest) → rows and how many are refused.
Rows = Callable[[Any, str, Digest], tuple[Batch, int]]
Response = ExportTraceServiceResponse | ExportMetricsServiceResponse | ExportLogsServiceResponse


class Receiver:
    """Answers `Export` of one signal; `rejected` is the field of its partial success."""

    def __init__(self, buffer: Buffer, digest: Digest, rows: Rows, response: type[Response], rejected: str) -> None:
        self._buffer = buffer
        self._digest = digest
        self._rows = rows
        self._response = response
        self._rejected = rejected

    async def export(self, request: Any, call: Call) -> Response:
        """Returns after the commit."""
        batch, rejected = self._rows(request, call.tenant, self._digest)
        if len(batch):
            await self._buffer.write(batch)
        response = self._response()
        if rejected:
            setattr(response.partial_success, self._rejected, rejected)
            response.partial_success.error_message = "their time is not in the years 2000 to 2100"
        return response


def trace_receiver(buffer: Buffer, digest: Digest) -> Receiver:
    """Answers `TraceService`."""
    return Receiver(buffer, digest, span_rows, ExportTraceServiceResponse, "rejected_spans")


def metrics_receiver(buffer: Buffer, digest: Digest) -> Receiver:
    """Answers `MetricsService`."""
    return Receiver(buffer, digest, metric_rows, ExportMetricsServiceResponse, "rejected_data_points")


def logs_receiver(buffer: Buffer, digest: Digest) -> Receiver:
    """Answers `LogsService`."""
    return Receiver(buffer, digest, log_rows, ExportLogsServiceResponse, "rejected_log_records")
