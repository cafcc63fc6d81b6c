"""How far the need may lie above what is expected, learned without assuming a distribution."""

from math import log2, sqrt

import numpy as np
from numpy.typing import NDArray

from weirworks_autoscaler.core.planning.workload import Workload

Floats = NDArray[np.float64]

# Distances from the expected need in units of its usual size, highest first: fine around it, then 12 % wider each.
_GRID: Floats = np.concatenate((np.arange(-3.0, 4.0, 0.125), 4.0 * 1.12 ** np.arange(25)))[::-1].copy()
_CELLS = len(_GRID) - 1
_INNER = -_GRID[1:-1]
# Bins that are learned from together.
TOGETHER = 4
# Half-lives in seconds: of the recent, of alike levels, of the usual size; and of phases, in longest seasons.
_RECENT_S = 7200.0
_ALIKE_S = 3 * 86400.0
_SCALE_S = 7200.0
_SEASONS_KEPT = 3.0
# A season has at most this many phases; the neighbours of one count with it.
_PHASES = 1440
_NEIGHBOURS = 1
# Levels count as alike within a factor of the square root of two.
_LEVELS_PER_DOUBLING = 2
_LEVELS = 24
_LEAST_LEVEL = 0.02
# What each memory weighs, and the seasons or lessons after which it has all of that weight.
_RECENT, _SEASON, _ALIKE = 1.0, 1.0, 2.0
_ENOUGH_SEASONS, _ENOUGH_ALIKE = 1.0, 20.0
# The usual size grows with the square root of the level, as counts do, but not below that of a few requests.
_GRAINS = 10.0


class Spread:
    """A mixture of histograms of past errors: of late, at the same phase of each season, at alike levels.

    All lie in one table, a row each: `_CELLS` shares of time, highest first, and the mass behind them.
    """

    def __init__(self, workload: Workload) -> None:
        self._floor = max(_LEAST_LEVEL, _GRAINS * workload.grain)
        bins = [max(1, round(season / workload.bin_s)) for season in workload.seasons_s]
        self._widths = [max(TOGETHER, -(-count // _PHASES)) for count in bins]
        phases = [max(1, count // width) for count, width in zip(bins, self._widths, strict=True)]
        # Row 0 is the recent, then the levels, then the phases of each season.
        starts = np.cumsum([1 + _LEVELS, *phases])
        self._seasons = list(zip(self._widths, phases, map(int, starts), strict=False))
        self._table = np.zeros((int(starts[-1]), _CELLS + 1), dtype=np.float32)
        middles = (_GRID[1:] + _GRID[:-1]) / 2
        bell = np.exp(-(middles**2) / 2)
        self._table[0, :-1], self._table[0, -1] = bell / bell.sum(), 1.0
        # Each level and phase only fades when it is seen; of the levels about four take turns.
        learned_s = TOGETHER * workload.bin_s
        fades = [0.5 ** (learned_s / _RECENT_S), 0.5 ** (4 * learned_s / _ALIKE_S)]
        enough = [1e-9, _ENOUGH_ALIKE]
        for count, (width, number, _) in zip(bins, self._seasons, strict=True):
            reach = min(_NEIGHBOURS, (number - 1) // 2)
            fades.append(0.5 ** (count * TOGETHER / (_SEASONS_KEPT * max(bins) * width)))
            enough.append((2 * reach + 1) * width / TOGETHER * _ENOUGH_SEASONS)
        self._fades = np.array(fades, dtype=np.float32)[:, None]
        self._enough = np.array(enough, dtype=np.float32)
        self._weights = np.array([_RECENT, _ALIKE] + [_SEASON] * len(bins), dtype=np.float32)
        self._around = [self._neighbours(number, start) for _, number, start in self._seasons]
        members = [[0], [1]] + [[2 + place] * rows.shape[1] for place, rows in enumerate(self._around)]
        self._member = np.concatenate(members).astype(np.intp)
        self._rows = np.zeros(len(self._member), dtype=np.intp)
        self._groups = (self._member[None, :] == np.arange(len(members))[:, None]).astype(np.float32)
        self._squared = 0.05
        self._learn_scale = 1.0 - 0.5 ** (learned_s / _SCALE_S)
        self._seen = 0
        self._mixed = (-1, -1)
        self._above: Floats = np.zeros(_CELLS + 1)

    def learn(self, number: int, expected: float, errors: Floats) -> None:
        """How far the needs of bins up to `number` lay above what was expected for them, about `expected`."""
        self._seen += 1
        # One burst must not make everything look usual for hours.
        square = min(float(errors @ errors) / (len(errors) * max(expected, self._floor)), 25 * self._squared + 1)
        self._squared += max(self._learn_scale, 1.0 / (self._seen + 1)) * (square - self._squared)
        cells = _INNER.searchsorted(errors * (-1.0 / self._size(expected)))
        fresh = np.bincount(cells, minlength=_CELLS + 1) * (1.0 / len(errors))
        fresh[-1] = 1.0
        rows = [0, 1 + _level_of(expected)]
        rows += [start + number // width % phases for width, phases, start in self._seasons]
        self._table[rows] = self._table[rows] * self._fades + fresh

    def ahead(self, number: int, expected: float) -> tuple[Floats, Floats]:
        """For bin `number`: needs, highest first, and the share of its time in which the need lies above each."""
        level = 1 + _level_of(expected)
        # Bins that are learned from together have their phases in common.
        if (number // TOGETHER, level) != self._mixed:
            self._mixed = number // TOGETHER, level
            self._above = self._mixture(number, level)
        return np.maximum(_GRID * self._size(expected) + expected, 0.0), self._above

    def _mixture(self, number: int, level: int) -> Floats:
        """Share of time above each distance of the grid."""
        rows, place = self._rows, 2
        rows[1] = level
        for around, (width, phases, _) in zip(self._around, self._seasons, strict=True):
            near = around[number // width % phases]
            rows[place : place + len(near)] = near
            place += len(near)
        known = self._table[rows]
        masses = self._groups @ known[:, -1]
        weights = self._weights / np.maximum(masses, self._enough)
        mixture = weights[self._member] @ known
        above = np.zeros(_CELLS + 1)
        np.add.accumulate(mixture[:-1], out=above[1:])
        above *= 1.0 / mixture[-1]
        return above

    def _size(self, expected: float) -> float:
        return sqrt(self._squared * max(expected, self._floor))

    @staticmethod
    def _neighbours(phases: int, start: int) -> NDArray[np.intp]:
        """Rows of each phase and those around it."""
        reach = min(_NEIGHBOURS, (phases - 1) // 2)
        return start + (np.arange(phases)[:, None] + np.arange(-reach, reach + 1)) % phases


def _level_of(expected: float) -> int:
    return min(_LEVELS - 1, int(_LEVELS_PER_DOUBLING * log2(max(expected, _LEAST_LEVEL) / _LEAST_LEVEL)))
