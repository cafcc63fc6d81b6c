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


class ModelLoading(WeirError):
    """The model is on its way into memory; the same call will succeed soon."""

    code = StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_MODEL_LOADING

    def __init__(self, name: str, retry_after: timedelta) -> None:
        super().__init__(
            f"Model {name!r} is being loaded; retry in {retry_after.total_seconds():.1f} s.",
            metadata={"model": name},
            retry_after=retry_after,
        )


class ModelWithdrawn(WeirError):
    """An operator took the model out of service."""

    code = StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_MODEL_WITHDRAWN

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Model {name!r} was taken out by an operator; RepositoryModelLoad or LoadModel brings it back.",
            metadata={"model": name},
        )


class MemoryFull(WeirError):
    """There is no room for the model under the memory budget, and nothing that may make room."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_MEMORY_FULL

    def __init__(self, name: str, why: str, needed: int, budget: int, retry_after: timedelta) -> None:
        super().__init__(
            f"Model {name!r} needs {needed >> 20} MiB and the budget is {budget >> 20} MiB ({why}); "
            "unpin or unload another, or raise the budget.",
            metadata={"model": name, "neededBytes": str(needed), "budgetBytes": str(budget), "why": why},
            retry_after=retry_after,
        )


class QueueFull(WeirError):
    """The model's waiting line is at its limit; the same call may succeed later."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_QUEUE_FULL

    def __init__(self, model: str, waiting: int, retry_after: timedelta) -> None:
        super().__init__(
            f"Model {model!r} has {waiting} requests waiting, as many as are taken; "
            f"retry in {retry_after.total_seconds():.3f} s.",
            metadata={"model": model, "waiting": str(waiting)},
            retry_after=retry_after,
        )


class RegistryConflict(WeirError):
    """What was asked contradicts what is registered."""

    code = StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_REGISTRY_CONFLICT

    def __init__(self, model: str, version: str, why: str) -> None:
        name = f"{model}:{version}" if version else model
        super().__init__(f"Model {name!r} {why}.", metadata={"model": model, "version": version})
