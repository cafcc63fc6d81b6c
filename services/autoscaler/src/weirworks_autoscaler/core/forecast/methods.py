"""Point forecasts by method. Each predicts load `ahead` steps after every origin of the history.

`predict(loads, season, ahead)` returns an array as long as `loads` plus `ahead`: element t is what would
have been said `ahead` steps before t, NaN where there was too little history. So one call gives both the
forecast (its end) and its backtest (the rest).
"""

from collections.abc import Callable

import numpy as np

from weirworks_autoscaler.core.types import Loads

Method = Callable[[Loads, int, int], Loads]
# Mean of this many steps is the level now: one step alone is mostly noise.
_LEVEL = 3
# A day like the ones before, up to twice or half as busy; beyond that it is another kind of day.
_LEAST_RATIO, _MOST_RATIO = 0.5, 2.0
_SEASONS = 3
_TREND_WINDOW = 6


def naive(loads: Loads, _season: int, ahead: int) -> Loads:
    """The level now, for ever."""
    return _later(_moving_mean(loads, _LEVEL), ahead)


def trend(loads: Loads, _season: int, ahead: int) -> Loads:
    """The level now and half of its recent slope; half, because slopes do not last (Gardner, 1985)."""
    level = _moving_mean(loads, _LEVEL)
    slope = np.full_like(level, np.nan)
    slope[_TREND_WINDOW:] = (level[_TREND_WINDOW:] - level[:-_TREND_WINDOW]) / _TREND_WINDOW
    return _later(np.maximum(0.0, level + 0.5 * ahead * slope), ahead)


def seasonal(loads: Loads, season: int, ahead: int) -> Loads:
    """The mean of the last seasons at the same phase, scaled by how busy it is now against then."""
    count = len(loads)
    if count < season + _TREND_WINDOW or ahead > season:
        return np.full(count + ahead, np.nan)
    padded = np.concatenate([loads, np.full(ahead, np.nan)])
    past = np.full((_SEASONS, count + ahead), np.nan)
    for number in range(_SEASONS):
        shift = (number + 1) * season
        if shift < count + ahead:
            past[number, shift:] = padded[: count + ahead - shift]
    known = ~np.isnan(past)
    weight = known.sum(axis=0)
    base = np.where(weight > 0, np.where(known, past, 0.0).sum(axis=0) / np.maximum(weight, 1), np.nan)
    base = _smooth(base)
    window = 2 * _TREND_WINDOW
    small = max(1e-9, 0.05 * float(loads.mean()))
    ratio = (_moving_mean(loads, window) + small) / (_moving_mean(base[:count], window) + small)
    return base * _later(np.clip(ratio, _LEAST_RATIO, _MOST_RATIO), ahead)


METHODS: dict[str, Method] = {"seasonal": seasonal, "trend": trend, "naive": naive}


def _later(values: Loads, ahead: int) -> Loads:
    return np.concatenate([np.full(ahead, np.nan), values])


def _moving_mean(values: Loads, window: int) -> Loads:
    """Mean of the last `window` values at each place; NaN until there are so many."""
    out = np.full(len(values), np.nan)
    if len(values) >= window:
        sums = np.convolve(values, np.ones(window), "valid")
        out[window - 1 :] = sums / window
    return out


def _smooth(values: Loads) -> Loads:
    """Mean with both neighbours, so that a burst one step early or late still lines up."""
    if len(values) < 3:
        return values
    middle = (values[:-2] + values[1:-1] + values[2:]) / 3
    return np.concatenate([values[:1], np.where(np.isnan(middle), values[1:-1], middle), values[-1:]])
