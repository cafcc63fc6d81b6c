"""A recorded day, told in fast time: its rates, the days before it, and its arrivals."""

import csv
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

_PER_DAY = 144
# The recorded day that is replayed begins before dawn, at its quietest hour.
_DAWN = 26
Rates = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Day:
    """Rates of the day and of the time before it, in steps of fast time; 1 is the day's peak."""

    step: float
    today: Rates
    before: Rates

    @property
    def seconds(self) -> float:
        """Length of the day in fast time."""
        return len(self.today) * self.step


def fast_day(seconds: float, steps: int) -> Day:
    """The second recorded day squeezed into `seconds`, with the recorded time before it."""
    source = resources.files("weirworks_cli.demo").joinpath("trace.csv").read_text("utf-8")
    rates = np.array([float(row["requests_per_second"]) for row in csv.DictReader(source.splitlines())])
    start = _PER_DAY + _DAWN
    step = seconds / steps
    squeeze = _PER_DAY / steps
    moments = np.arange(-int(start / squeeze), steps) * squeeze + start
    squeezed = np.interp(moments, np.arange(len(rates)), rates) / rates[start : start + _PER_DAY].max()
    return Day(step, squeezed[-steps:], squeezed[:-steps])


def arrivals(rates: Rates, step: float, peak: float, seed: int) -> NDArray[np.float64]:
    """Arrival times of a Poisson process with these rates × `peak` requests per second, by time."""
    chance = np.random.default_rng(seed)
    counts = chance.poisson(rates * peak * step)
    times = np.repeat(np.arange(len(rates)) * step, counts) + chance.random(int(counts.sum())) * step
    return np.sort(times)


def clock(fraction: float) -> str:
    """The recorded hour at a fraction of the day: `04:20`."""
    minutes = int((_DAWN * 10 + fraction * 24 * 60) % (24 * 60))
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
