"""What `weir scalers replay` finds by its entry point: the decisions of this service on recorded load."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from weirworks_autoscaler.core.replay import Replay, replay
from weirworks_autoscaler.settings import TargetSettings

_LAG = timedelta(seconds=15)


def run(
    target: Mapping[str, Any],
    loads: list[float],
    step: timedelta,
    start: datetime,
    interval: timedelta,
    forecasting: bool,
) -> Replay:
    """`target` holds the fields of a target; its mistakes raise pydantic's ValidationError."""
    settings = TargetSettings.model_validate({"name": "replay", **target})
    lag = max(step, round(_LAG / step) * step)
    spec = replace(settings.spec(lag, max(step, interval)), forecast_enabled=forecasting)
    return replay(spec, np.array(loads), step, start)
