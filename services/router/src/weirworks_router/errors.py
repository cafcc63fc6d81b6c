"""What can go wrong with a route."""

from collections.abc import Sequence
from datetime import timedelta

from grpc import StatusCode
from weirworks.errors.v1.reason_pb2 import ErrorReason
from weirworks_rpc import WeirError


class NoEndpoint(WeirError):
    """Nothing could answer; what was tried is in the metadata."""

    code = StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_NO_ENDPOINT

    def __init__(self, what: str, attempts: Sequence[tuple[str, str]], retry_after: timedelta) -> None:
        tried = ", ".join(f"{name}: {outcome}" for name, outcome in attempts) or "none is configured"
        super().__init__(
            f"No {what} could answer ({tried}); retry in {retry_after.total_seconds():g} s.",
            metadata={"tried": tried},
            retry_after=retry_after,
        )


class ProviderRefused(WeirError):
    """The provider does not take this prompt, and another try will not change that."""

    code = StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_PROVIDER_REFUSED

    def __init__(self, backend: str, status: int) -> None:
        super().__init__(
            f"Backend {backend!r} refused the prompt (HTTP {status}); change the prompt or its limits.",
            metadata={"backend": backend, "httpStatus": str(status)},
        )
