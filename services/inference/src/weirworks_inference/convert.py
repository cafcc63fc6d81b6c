"""Domain → proto and resource names → parts; pure."""

import re
from datetime import timedelta

from weirworks.inference.v1 import model_pb2
from weirworks.inference.v1.image_pb2 import StageTime
from weirworks_rpc import InvalidFields, Violation

from weirworks_inference.core.types import State
from weirworks_inference.model import Model

_NAME = re.compile(r"models/([^/]+)(?:/versions/([0-9]+))?")
_STATES = {
    State.LOADABLE: model_pb2.MODEL_STATE_LOADABLE,
    State.LOADING: model_pb2.MODEL_STATE_LOADING,
    State.READY: model_pb2.MODEL_STATE_READY,
    State.FAILED: model_pb2.MODEL_STATE_FAILED,
    State.WITHDRAWN: model_pb2.MODEL_STATE_WITHDRAWN,
}


def model_pb(model: Model, *, is_default: bool) -> model_pb2.Model:
    """The resource of a model."""
    loaded, counts = model.loaded, model.statistics
    answer = model_pb2.Model(
        name=f"models/{model.name}/versions/{model.version}",
        state=_STATES[model.state],
        failure=model.failure,
        load_count=model.loads,
        failed_loads=model.failures,
        inference_count=counts.rows,
        run_count=counts.runs,
        file_bytes=sum(size for name, _, size in model.stamp if name.endswith((".onnx", ".data"))),
        is_default=is_default,
        pinned=model.pinned,
        reason=model.load_reason if loaded is not None else model.unload_reason,
    )
    if loaded is not None:
        answer.task = loaded.card.task
        answer.resident_bytes, answer.device_bytes = model.size.host, model.size.device
        answer.providers.extend(loaded.placement.providers)
        answer.missing_providers.extend(loaded.placement.missing)
        answer.digest = loaded.digest
        answer.batches = loaded.execution is not None and loaded.execution.batches
    answer.last_load_duration.FromTimedelta(timedelta(seconds=model.load_seconds))
    answer.cold_latency.FromTimedelta(timedelta(seconds=counts.cold))
    answer.warm_latency.FromTimedelta(timedelta(seconds=counts.warm))
    if model.last_use_time:
        answer.last_use_time.FromNanoseconds(int(model.last_use_time * 1e9))
    return answer


def parse_model_name(name: str) -> tuple[str, str]:
    """`models/a/versions/1` → ("a", "1"); the version is empty where none is named. Raises InvalidFields."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise InvalidFields([Violation("name", "must be models/<name> or models/<name>/versions/<version>")])
    return match[1], match[2] or ""


def stage_pb(name: str, duration: timedelta) -> StageTime:
    """The time of one stage."""
    stage = StageTime(stage=name)
    stage.duration.FromTimedelta(duration)
    return stage
