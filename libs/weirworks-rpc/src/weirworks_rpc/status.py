"""WeirError ↔ google.rpc.Status: the one place where errors meet the wire."""

from datetime import timedelta

import grpc
from google.rpc import error_details_pb2, status_pb2
from weirworks.errors.v1.reason_pb2 import ErrorReason

from weirworks_rpc.errors import Internal, RemoteError, Violation, WeirError

DOMAIN = "weirworks.dev"
_DETAILS_KEY = "grpc-status-details-bin"
# Details travel as trailers, which many proxies cut at 8 KiB in all.
_DETAILS_LIMIT = 4096


def status_of(error: WeirError) -> status_pb2.Status:
    """The status of an error with its details, kept under 4 KiB by dropping the last violations."""
    status = status_pb2.Status(code=error.code.value[0], message=error.message[:1024])
    info = error_details_pb2.ErrorInfo(reason=error.reason_word, domain=DOMAIN)
    info.metadata.update({key: value[:256] for key, value in error.metadata.items()})
    status.details.add().Pack(info)
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        status.details.add().Pack(retry)
    if error.resource is not None:
        kind, name = error.resource
        resource = error_details_pb2.ResourceInfo(resource_type=kind, resource_name=name[:256])
        status.details.add().Pack(resource)
    if isinstance(error, Internal):
        status.details.add().Pack(error_details_pb2.RequestInfo(request_id=error.request_id))
    if error.violations:
        _pack_violations(status, error.violations)
    return status


def _pack_violations(status: status_pb2.Status, violations: tuple[Violation, ...]) -> None:
    bad = error_details_pb2.BadRequest()
    room = _DETAILS_LIMIT - status.ByteSize() - 128
    for violation in violations:
        bad.field_violations.add(field=violation.field[:128], description=violation.description[:256])
        if bad.ByteSize() > room:
            del bad.field_violations[-1]
            break
    status.details.add().Pack(bad)


def error_of(status: status_pb2.Status) -> RemoteError:
    """The error that a status tells of."""
    reason: ErrorReason.ValueType = ErrorReason.ERROR_REASON_UNSPECIFIED
    metadata: dict[str, str] = {}
    retry_after: timedelta | None = None
    violations: list[Violation] = []
    resource: tuple[str, str] | None = None
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        retry = error_details_pb2.RetryInfo()
        bad = error_details_pb2.BadRequest()
        named = error_details_pb2.ResourceInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            metadata = dict(info.metadata)
            name = f"ERROR_REASON_{info.reason}"
            if name in ErrorReason.DESCRIPTOR.values_by_name:
                reason = ErrorReason.Value(name)
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta()
        elif detail.Unpack(bad):
            violations = [Violation(v.field, v.description) for v in bad.field_violations]
        elif detail.Unpack(named):
            resource = (named.resource_type, named.resource_name)
    return RemoteError(
        _code(status.code),
        reason,
        status.message,
        metadata=metadata,
        retry_after=retry_after,
        violations=violations,
        resource=resource,
    )


def error_from_rpc(error: grpc.aio.AioRpcError) -> RemoteError:
    """The error that an `AioRpcError` carries, with the details that its sender packed."""
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            return error_of(status_pb2.Status.FromString(value))
    return error_of(status_pb2.Status(code=error.code().value[0], message=error.details() or ""))


def _code(number: int) -> grpc.StatusCode:
    for code in grpc.StatusCode:
        if code.value[0] == number:
            return code
    return grpc.StatusCode.UNKNOWN
