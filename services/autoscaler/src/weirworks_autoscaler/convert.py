"""Domain → proto; pure."""

from datetime import datetime, timedelta

from weirworks.autoscaler.v1 import scaler_pb2

from weirworks_autoscaler.core.types import Forecast
from weirworks_autoscaler.scaler import Entry, Scaler


def scaler_pb(scaler: Scaler) -> scaler_pb2.Scaler:
    """The resource of a scaler."""
    spec = scaler.spec
    answer = scaler_pb2.Scaler(
        name=f"scalers/{spec.name}",
        target=scaler.target.label,
        model=spec.model,
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
        replicas=scaler.size.replicas,
        ready_replicas=scaler.size.ready,
        forecast_enabled=spec.forecast_enabled,
    )
    if scaler.last is not None:
        answer.decision.CopyFrom(decision_pb(spec.name, scaler.last))
    return answer


def decision_pb(name: str, entry: Entry) -> scaler_pb2.Decision:
    """The resource of a decision."""
    decision = entry.decision
    answer = scaler_pb2.Decision(
        scaler=f"scalers/{name}",
        from_replicas=decision.from_replicas,
        to_replicas=decision.replicas,
        reason=decision.reason,
        message=decision.message,
        load=decision.load,
        forecast=decision.forecast_load,
        reactive_replicas=decision.reactive,
        forecast_replicas=decision.forecast_replicas,
        capacity=decision.capacity,
        method=decision.method,
    )
    answer.decide_time.FromDatetime(entry.time)
    return answer


def forecast_pb(ahead: Forecast | None, made: datetime) -> scaler_pb2.Forecast:
    """The load to come; without points where there is too little history."""
    answer = scaler_pb2.Forecast(method=ahead.method if ahead else "")
    answer.create_time.FromDatetime(made)
    if ahead is not None:
        answer.step.FromTimedelta(ahead.step)
        answer.points.extend(_points(ahead))
    return answer


def _points(ahead: Forecast) -> list[scaler_pb2.ForecastPoint]:
    points = []
    for position in range(len(ahead.median)):
        point = scaler_pb2.ForecastPoint(
            lower=ahead.lower[position], median=ahead.median[position], upper=ahead.upper[position]
        )
        point.start_time.FromDatetime(ahead.start + timedelta(seconds=position * ahead.step.total_seconds()))
        points.append(point)
    return points
