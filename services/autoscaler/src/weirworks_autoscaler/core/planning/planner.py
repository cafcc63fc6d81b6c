"""The memory of one target, and the count that it leads to."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weirworks_autoscaler.core.planning.level import Level
from weirworks_autoscaler.core.planning.need import Need
from weirworks_autoscaler.core.planning.shadow import PRICES, Rule, Shadow
from weirworks_autoscaler.core.planning.spread import TOGETHER, Spread
from weirworks_autoscaler.core.planning.workload import Workload

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

# A quarter of a replica more than whole ones asks for another.
ROUND_UP = 0.75
# Bins before the first plan.
_LEAST_BINS = 8
# In a target's first bins everything is learned from.
_LEARN_ALL = 240
# Of its time that a replica must be needed to be worth its price.
_SHARES: Floats = 1.0 / PRICES


@dataclass(frozen=True, slots=True)
class Plan:
    """The count wanted and the numbers behind it."""

    replicas: int
    # Needs in replicas: now, expected one lead time ahead, and what the rule covers of it.
    need: float
    expected: float
    covered: float
    rule: Rule


class Planner:
    """Learns from every bin of load in order; the plan is always that of the newest bin."""

    def __init__(self, workload: Workload, late_ratio: float, first_bin: int = 0) -> None:
        self.workload = workload
        self._need = Need(workload)
        self._level = Level(workload)
        self._spread = Spread(workload)
        self._shadow = Shadow(workload, late_ratio)
        self._number = first_bin - 1
        self._learn_all = first_bin + _LEARN_ALL
        self._ready_from = first_bin + max(_LEAST_BINS, 2 * workload.lead)
        # Expectations that are still to come true, oldest first.
        self._open: deque[tuple[float, Floats]] = deque()
        # Errors of the newest bins that wait to be learned from together.
        self._lesson: list[Floats] = []
        self._rest: Floats = np.zeros(0)
        self._share: Floats = np.full(workload.steps, 1.0 / workload.steps)
        self._raw: Counts | None = None
        self._expected = 0.0
        self._covered: Floats = np.zeros(len(PRICES))

    def see(self, loads: Floats) -> None:
        """Takes in the newest loads, requests per second of each step; a bin that is not whole yet waits."""
        steps = self.workload.steps
        loads = np.concatenate((self._rest, loads)) if len(self._rest) else loads
        whole = len(loads) // steps * steps
        self._rest = loads[whole:].copy()
        for start in range(0, whole, steps):
            self._bin(loads[start : start + steps])

    @property
    def replicas(self) -> int | None:
        """The count wanted now; None while there is too little to learn from."""
        if self._raw is None or self._number < self._ready_from:
            return None
        return self.workload.bounded(self._shadow.held())

    def plan(self) -> Plan | None:
        """The same with the numbers behind it."""
        count = self.replicas
        if count is None:
            return None
        covered = float(self._covered[self._shadow.price])
        return Plan(count, self._level.now, self._expected, covered, self._shadow.rule)

    def _bin(self, loads: Floats) -> None:
        self._number += 1
        number, lead = self._number, self.workload.lead
        needs = self._need.of(loads)
        mean = float(needs @ self._share)
        if len(self._open) == lead:
            expected, features = self._open.popleft()
            # One of three is enough: neighbours say nearly the same.
            if number % 3 == 0 or number < self._learn_all:
                self._level.learn(features, expected, mean)
            self._lesson.append(needs - expected)
            if len(self._lesson) == TOGETHER:
                self._spread.learn(number, expected, np.concatenate(self._lesson))
                self._lesson.clear()
        self._expected, features = self._level.expect(mean)
        self._open.append((self._expected, features))
        edges, above = self._spread.ahead(number + lead, self._expected)
        self._raw, self._covered = _wanted(edges, above, self.workload.max_replicas)
        self._shadow.see(self._raw, loads * self.workload.step_s)


def _wanted(edges: Floats, above: Floats, most: int) -> tuple[Counts, Floats]:
    """Whole replicas by price, and the need that they stand for.

    One more replica pays while the share of time in which it would work is above one over the price.
    """
    covered = edges[above.searchsorted(_SHARES, side="right") - 1]
    return np.minimum(np.floor(covered + ROUND_UP), most).astype(np.int64), covered
