"""The forecast with quantiles, by the method that was best on the history itself.

Quantiles come from each method's own past errors at the same distance, so no distribution is assumed.
Methods compete by pinball loss at the quantile that decisions use (Koenker and Bassett, 1978).
"""

from datetime import datetime, timedelta

import numpy as np

from weirworks_autoscaler.core.forecast.methods import METHODS, Method
from weirworks_autoscaler.core.types import Forecast, Loads

# Fewer errors than this make no quantile.
_LEAST_ERRORS = 8
_LOWER = 0.1


def forecast(
    loads: Loads, step: timedelta, until: datetime, season: timedelta, horizon: int, quantile: float
) -> Forecast | None:
    """The `horizon` steps after `until`; None while there is too little history for any method."""
    season_steps = max(2, round(season / step))
    best = _best(loads, season_steps, max(1, horizon // 2), quantile)
    if best is None:
        return None
    method = METHODS[best]
    rows = [_quantiles(loads, season_steps, ahead, method, quantile) for ahead in range(1, horizon + 1)]
    lower, median, upper = np.array(rows).T
    return Forecast(best, until, step, lower, median, upper)


def _best(loads: Loads, season: int, ahead: int, quantile: float) -> str | None:
    """The method with the least loss at half of the horizon; on a tie the one that the table names first."""
    losses = {name: _loss(loads, season, ahead, method, quantile) for name, method in METHODS.items()}
    known = {name: loss for name, loss in losses.items() if loss is not None}
    return min(known, key=lambda name: known[name]) if known else None


def _loss(loads: Loads, season: int, ahead: int, method: Method, quantile: float) -> float | None:
    errors = _errors(loads, season, ahead, method)
    if len(errors) < _LEAST_ERRORS:
        return None
    # What is left of the errors once the method's own quantile is taken off.
    rest = errors - np.quantile(errors, quantile)
    return float(np.maximum(quantile * rest, (quantile - 1) * rest).mean())


def _quantiles(loads: Loads, season: int, ahead: int, method: Method, quantile: float) -> tuple[float, float, float]:
    point = float(method(loads, season, ahead)[-1])
    errors = _errors(loads, season, ahead, method)
    low, middle, high = np.quantile(errors, [_LOWER, 0.5, quantile]) if len(errors) else (0.0, 0.0, 0.0)
    median = max(0.0, point + float(middle))
    return max(0.0, point + float(low)), median, max(median, point + float(high))


def _errors(loads: Loads, season: int, ahead: int, method: Method) -> Loads:
    """Actual minus predicted over the last two seasons."""
    predicted = method(loads, season, ahead)[: len(loads)]
    errors = (loads - predicted)[-2 * season :]
    return errors[~np.isnan(errors)]
