"""OTLP messages → rows; pure."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from weirworks_telemetry.core.gate import gated
from weirworks_telemetry.core.rows import Batch

# (tenant, text) → hexadecimal keyed hash.
Digest = Callable[[str, str], str]
_FIRST, _LAST = 946_684_800, 4_102_444_800
_LONGEST_BODY = 8192


def span_rows(request: ExportTraceServiceRequest, tenant: str, digest: Digest) -> tuple[Batch, int]:
    """The rows, and how many spans are refused for good."""
    batch, rejected = Batch(), 0
    for group in request.resource_spans:
        service = _service(group.resource)
        for scope in group.scope_spans:
            for span in scope.spans:
                time = _time(span.start_time_unix_nano)
                if time is None:
                    rejected += 1
                    continue
                seconds = max(0, span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
                ids = (span.trace_id, span.span_id, span.parent_span_id)
                attributes = _attributes(span.attributes, tenant, digest)
                row = (time, tenant, service, *ids, _text(span.name), span.kind, seconds, span.status.code, attributes)
                batch.add("spans", row)
    return batch, rejected


def metric_rows(request: ExportMetricsServiceRequest, tenant: str, digest: Digest) -> tuple[Batch, int]:
    """The rows, and how many points are refused for good."""
    batch, rejected = Batch(), 0
    for group in request.resource_metrics:
        service = _service(group.resource)
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                head = (tenant, service, _text(metric.name), _text(metric.unit))
                for nanos, kind, value, count, attributes in _points(metric):
                    time = _time(nanos)
                    if time is None:
                        rejected += 1
                        continue
                    kept = _attributes(attributes, tenant, digest)
                    batch.add("metric_points", (time, *head, kind, value, count, kept))
    return batch, rejected


def log_rows(request: ExportLogsServiceRequest, tenant: str, digest: Digest) -> tuple[Batch, int]:
    """The rows, and how many records are refused for good."""
    batch, rejected = Batch(), 0
    for group in request.resource_logs:
        service = _service(group.resource)
        for scope in group.scope_logs:
            for record in scope.log_records:
                time = _time(record.time_unix_nano or record.observed_time_unix_nano)
                if time is None:
                    rejected += 1
                    continue
                body = _text(str(_value(record.body)))[:_LONGEST_BODY]
                attributes = _attributes(record.attributes, tenant, digest)
                ids = (record.trace_id, record.span_id)
                batch.add("log_records", (time, tenant, service, record.severity_number, body, *ids, attributes))
    return batch, rejected


def _points(metric: Metric) -> Iterable[tuple[int, str, float, int, Iterable[KeyValue]]]:
    kind = metric.WhichOneof("data") or "none"
    if kind in ("gauge", "sum"):
        for number in getattr(metric, kind).data_points:
            value = number.as_double if number.HasField("as_double") else float(number.as_int)
            yield number.time_unix_nano, kind, value, 1, number.attributes
    elif kind != "none":
        for point in getattr(metric, kind).data_points:
            yield point.time_unix_nano, kind, point.sum, point.count, point.attributes


def _time(nanos: int) -> datetime | None:
    seconds = nanos / 1e9
    return datetime.fromtimestamp(seconds, UTC) if _FIRST <= seconds < _LAST else None


def _service(resource: Resource) -> str:
    for attribute in resource.attributes:
        if attribute.key == "service.name":
            return _text(attribute.value.string_value)
    return ""


def _attributes(attributes: Iterable[KeyValue], tenant: str, digest: Digest) -> str:
    values = {_text(attribute.key): _value(attribute.value) for attribute in attributes}
    return json.dumps(gated(values, partial(digest, tenant)), ensure_ascii=False).replace("\\u0000", "")


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {each.key: _value(each.value) for each in value.kvlist_value.values}
    if kind == "bytes_value":
        return value.bytes_value.hex()
    plain = getattr(value, kind)
    # JSON has no NaN and no infinity.
    return str(plain) if isinstance(plain, float) and plain - plain != 0 else plain


def _text(text: str) -> str:
    return text.replace("\0", "")
