"""Domain → proto and resource names → parts; pure."""

import re
from datetime import timedelta

from weirworks.inference.v1 import model_pb2
from weirworks.inference.v1.image_pb2 import StageTime
from weirworks_rpc import InvalidFields, Violation

from weirworks_inference.core.types import State
from weirworks_inference.repository import Model

_NAME = re.compile(r"models/([^/]+)(?:/versions/([0-9]+))?")
_STATES = {
    State.LOADABLE: model_pb2.MODEL_STATE_LOADABLE,
    State.LOADING: model_pb2.MODEL_STATE_LOADING,
    State.READY: model_pb2.MODEL_STATE_READY,
    State.FAILED: model_pb2.MODEL_STATE_FAILED,
}


def model_pb(model: Model) -> model_pb2.Model:
    """The resource of a model."""
    answer = model_pb2.Model(
        name=f"models/{model.name}/versions/{model.version}",
        task=model.loaded.card.task if model.loaded else "",
        state=_STATES[model.state],
        failure=model.failure,
        load_count=model.loads,
        inference_count=model.runs,
        file_bytes=model.path.stat().st_size if model.path.exists() else 0,
        resident_bytes=model.resident_bytes,
    )
    answer.last_load_duration.FromTimedelta(timedelta(seconds=model.load_seconds))
    answer.cold_latency.FromTimedelta(timedelta(seconds=model.cold_seconds))
    answer.warm_latency.FromTimedelta(timedelta(seconds=model.warm_seconds))
    if model.last_use is not None:
        answer.last_use_time.FromDatetime(model.last_use)
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
