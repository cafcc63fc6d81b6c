"""The errors that callers see: one class per fact, each with a code, a reason and a sentence.

Raise them where the fact is known. The server turns them into `google.rpc.Status` once, in
`weirworks_rpc.status`; anything else that escapes a handler becomes `Internal` without its text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from grpc import StatusCode
from weirworks.errors.v1.reason_pb2 import ErrorReason


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule of a request: the field's path and what would be right."""

    field: str
    description: str


class WeirError(Exception):
    """An error with a gRPC code, a reason from the proto enum and a message that says what to do."""

    code: ClassVar[StatusCode]
    reason: ClassVar["ErrorReason.ValueType"]

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after: timedelta | None = None,
        violations: Sequence[Violation] = (),
        resource: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after
        self.violations = tuple(violations)
        self.resource = resource

    @property
    def reason_word(self) -> str:
        """The reason without the enum's prefix, as it travels: `QUEUE_FULL`."""
        return word_of(self.reason)


def word_of(reason: "ErrorReason.ValueType") -> str:
    """The word of a reason as it travels in `ErrorInfo`."""
    return ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


class InvalidFields(WeirError):
    """The request breaks rules; all of them are named at once."""

    code = StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_INVALID_FIELD

    def __init__(self, violations: Sequence[Violation]) -> None:
        text = "; ".join(f"{v.field}: {v.description}" for v in violations)
        super().__init__(f"Invalid request: {text}.", violations=violations)


class InvalidIdentity(WeirError):
    """The tenant that the caller names cannot be used."""

    code = StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_INVALID_IDENTITY

    def __init__(self, description: str) -> None:
        super().__init__(
            f"Invalid identity: weirworks-tenant: {description}.",
            violations=[Violation("metadata.weirworks-tenant", description)],
        )


class NotFound(WeirError):
    """There is no resource of that name."""

    code = StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_NOT_FOUND

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            f"There is no {kind} {name!r}; list them to see the names.",
            metadata={"name": name},
            resource=(kind, name),
        )


class NotOffered(WeirError):
    """The service does not offer the call."""

    code = StatusCode.UNIMPLEMENTED
    reason = ErrorReason.ERROR_REASON_NOT_OFFERED

    def __init__(self, method: str, why: str = "this server does not offer it") -> None:
        super().__init__(f"{method} is not available: {why}.", metadata={"method": method})


class DeadlineExceeded(WeirError):
    """The time that the caller gave is over."""

    code = StatusCode.DEADLINE_EXCEEDED
    reason = ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED

    def __init__(self) -> None:
        super().__init__("The deadline passed before the answer was ready; call again with a later one.")


class Draining(WeirError):
    """The server is going away; another replica can answer."""

    code = StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_DRAINING

    def __init__(self) -> None:
        super().__init__("The server is draining; connect again.", retry_after=timedelta(0))


class StoreUnavailable(WeirError):
    """A store that the call cannot do without is away."""

    code = StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_STORE_UNAVAILABLE

    def __init__(self, store: str, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(
            f"The store {store!r} is away; retry in {retry_after.total_seconds():g} s.",
            metadata={"store": store},
            retry_after=retry_after,
        )


class Internal(WeirError):
    """Something nobody foresaw; the server's log has it under the request id."""

    code = StatusCode.INTERNAL
    reason = ErrorReason.ERROR_REASON_INTERNAL

    def __init__(self, request_id: str) -> None:
        super().__init__(f"Internal error; report the request id {request_id}.", metadata={"requestId": request_id})
        self.request_id = request_id


class RemoteError(WeirError):
    """An error as another service told it, passed on with its code and reason."""

    def __init__(
        self,
        code: StatusCode,
        reason: "ErrorReason.ValueType",
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after: timedelta | None = None,
        violations: Sequence[Violation] = (),
        resource: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(message, metadata=metadata, retry_after=retry_after, violations=violations, resource=resource)
        # A remote error carries what its sender chose, so the class constants are shadowed here alone.
        self.code = code  # type: ignore[misc]
        self.reason = reason  # type: ignore[misc]
