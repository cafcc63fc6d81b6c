"""What can go wrong with a write."""

from datetime import timedelta

from grpc import StatusCode
from weirworks.errors.v1.reason_pb2 import ErrorReason
from weirworks_rpc import WeirError


class BufferFull(WeirError):
    """More rows wait for their commit than may; the same call succeeds once they are through."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_BUFFER_FULL

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"Already {limit} rows wait to be written; retry in 1 s.",
            metadata={"rowLimit": str(limit)},
            retry_after=timedelta(seconds=1),
        )
