"""What can go wrong with a model, as callers see it."""

from collections.abc import Sequence
from datetime import timedelta

from grpc import StatusCode
from weirworks.errors.v1.reason_pb2 import ErrorReason
from weirworks_rpc import Violation, WeirError


class InvalidTensor(WeirError):
    """The tensors do not fit the model; every mismatch is named."""

    code = StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_INVALID_TENSOR

    def __init__(self, model: str, problems: Sequence[tuple[str, str]]) -> None:
        text = "; ".join(f"{field}: {rule}" for field, rule in problems)
        super().__init__(
            f"The request does not fit model {model!r}: {text}.",
            metadata={"model": model},
            violations=[Violation(field, rule) for field, rule in problems],
        )


class InvalidImage(WeirError):
    """The bytes are not a picture that the service takes."""

    code = StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_INVALID_IMAGE

    def __init__(self, rule: str) -> None:
        super().__init__(f"Invalid image: {rule}.", violations=[Violation("image", rule)])


class ModelNotFound(WeirError):
    """The repository has no such model or version."""

    code = StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_MODEL_NOT_FOUND

    def __init__(self, name: str, version: str) -> None:
        wanted = f"{name}:{version}" if version else name
        super().__init__(
            f"There is no model {wanted!r} in the repository; list the models to see what there is.",
            metadata={"model": name, "version": version},
            resource=("model", wanted),
        )


class ModelUnsuitable(WeirError):
    """The model is for another task."""

    code = StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_MODEL_UNSUITABLE

    def __init__(self, name: str, task: str, wanted: str) -> None:
        super().__init__(
            f"Model {name!r} is for {task}, not for {wanted}.",
            metadata={"model": name, "task": task, "wanted": wanted},
        )


class ModelBroken(WeirError):
    """The model cannot be loaded; the server's log says why."""

    code = StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_MODEL_BROKEN

    def __init__(self, name: str, failure: str, retry_after: timedelta) -> None:
        super().__init__(
            f"Model {name!r} cannot be loaded: {failure}; "
            f"the next load is tried in {retry_after.total_seconds():.0f} s.",
            metadata={"model": name},
            retry_after=retry_after,
        )


class QueueFull(WeirError):
    """The waiting line is at its limit; the same call may succeed later."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_QUEUE_FULL

    def __init__(self, limit: int, retry_after: timedelta) -> None:
        super().__init__(
            f"Already {limit} requests are waiting; retry in {retry_after.total_seconds():.3f} s.",
            metadata={"queueLimit": str(limit)},
            retry_after=retry_after,
        )
