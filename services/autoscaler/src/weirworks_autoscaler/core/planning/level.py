"""The need to expect one lead time ahead: a regression that learns as it goes."""

import numpy as np
from numpy.typing import NDArray

from weirworks_autoscaler.core.planning.workload import Workload

Floats = NDArray[np.float64]

# Moving averages over these many seconds, beside the newest bin itself: from the cold start's scale to half a day's.
_WINDOWS = (60.0, 240.0, 900.0, 3600.0, 14400.0)
# What a season's shape is smoothed over, in bins to either side.
_SMOOTH = 8
# Weight that is left to a bin after as many bins: 20,000, three and a half days of 15 s.
_FORGET = 0.99995
# How little the first weights are believed in.
_UNSURE = 0.01
# Forgetting blows up what the data do not speak about; beyond this nothing is forgotten.
_MOST_UNSURE = 1e3
_FORGET_EVERY = 20
# Need is not expected to leave these bounds of what there is; beyond them lies an error of the regression.
_LEAST, _MOST = 0.25, 3.0


class Level:
    """Recursive least squares (Plackett, 1950) over moving averages and the same time of the season before.

    Errors are weighed by one over the level, since counts vary like their mean.
    """

    def __init__(self, workload: Workload) -> None:
        self._keep = np.array([1.0, *(1.0 - np.exp(-workload.bin_s / window) for window in _WINDOWS)])
        self._warm = 1.0 / self._keep[-1]
        size = len(self._keep) + 2
        # A constant, the averages, and what the season says.
        self._features: Floats = np.zeros(size)
        self._features[0] = 0.1
        self._averages = self._features[1:-1]
        self._weights: Floats = np.zeros(size)
        self._weights[[1, 2, 3]] = 0.4, 0.4, 0.2
        self._unsure: Floats = _UNSURE * np.eye(size)
        self._lead = workload.lead
        self._season = round(max(workload.seasons_s) / workload.bin_s) if workload.seasons_s else 0
        # Sums of need up to each bin of the last season, as a ring: any window's mean is one subtraction.
        self._sums = [0.0] * (self._season + 2 * _SMOOTH + self._lead + 2)
        self._total = 0.0
        self._bins = self._updates = 0

    @property
    def now(self) -> float:
        """The mean need of about the last minute."""
        return float(self._averages[1])

    def expect(self, need: float) -> tuple[float, Floats]:
        """Takes in the newest bin's mean need; the need to expect `lead` bins later and what it was made from."""
        self._bins += 1
        self._total += need
        self._sums[self._bins % len(self._sums)] = self._total
        keep = self._keep if self._bins > self._warm else np.maximum(self._keep, 1.0 / self._bins)
        self._averages += keep * (need - self._averages)
        self._features[-1] = self._seasonal_change()
        raw = float(self._weights @ self._features)
        newest, minute, minutes = self._averages[:3].tolist()
        least, most = _LEAST * min(minute, minutes), _MOST * max(newest, minutes)
        return max(0.0, min(max(raw, least), most)), self._features.copy()

    def learn(self, features: Floats, expected: float, need: float) -> None:
        """What was expected from `features` `lead` bins ago, and what came."""
        spread = self._unsure @ features
        gain = spread * (1.0 / (expected + 0.05 + float(features @ spread)))
        self._weights += gain * (need - float(self._weights @ features))
        self._unsure -= gain[:, None] * spread
        self._updates += 1
        # Now and then is often enough for what changes by the ten-thousandth.
        if self._updates % _FORGET_EVERY == 0 and self._unsure.trace() < _MOST_UNSURE:
            self._unsure /= _FORGET**_FORGET_EVERY

    def _seasonal_change(self) -> float:
        """How much the need rose from this time to the lead time's, a season ago."""
        if not self._season or self._bins < self._season + _SMOOTH:
            return 0.0
        then = self._bins - self._season
        return self._around(then + self._lead) - self._around(then)

    def _around(self, number: int) -> float:
        size = len(self._sums)
        sums = self._sums
        return (sums[(number + _SMOOTH) % size] - sums[(number - _SMOOTH - 1) % size]) / (2 * _SMOOTH + 1)
