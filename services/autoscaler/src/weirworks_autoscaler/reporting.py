"""Decisions → metrics and logs."""

import logging

from weirworks_autoscaler.core.types import Decision
from weirworks_autoscaler.instruments import Instruments

log = logging.getLogger(__name__)


def report(instruments: Instruments, name: str, decision: Decision) -> None:
    """Counts a decision, and logs one that changes something."""
    instruments.decisions.labels(name, decision.reason).inc()
    instruments.replicas.labels(name).set(decision.replicas)
    instruments.load.labels(name).set(decision.load)
    if decision.plan is not None:
        instruments.forecast.labels(name).set(decision.forecast_load or 0.0)
        instruments.late.labels(name).set(decision.plan.rule.late)
    if decision.replicas != decision.from_replicas:
        log.info(
            "scaled",
            extra={
                "scaler": name,
                "from": decision.from_replicas,
                "to": decision.replicas,
                "reason": decision.reason,
                "load": round(decision.load, 2),
                "reactive": decision.reactive,
                "forecast": decision.forecast_replicas,
            },
        )


def forget(instruments: Instruments, name: str) -> None:
    """Ends the series of a scaler that is gone."""
    instruments.decisions.remove_by_labels({"scaler": name})
    for gauge in (instruments.replicas, instruments.load, instruments.forecast, instruments.late):
        gauge.remove_by_labels({"scaler": name})
