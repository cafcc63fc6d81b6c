"""What each candidate rule would have cost and how many requests it would have made late."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weirworks_autoscaler.core.planning.workload import Workload

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

# What a replica-second of late work may cost, in replica-seconds: with 40, need is covered in 39 of 40 seconds.
PRICES: Floats = np.geomspace(2.5, 1500.0, 16)
# For how long what was once needed is kept, in cold starts: how long it would take to be back is what counts.
HOLDS = (1.5, 5.0, 15.0)
# The rule before anything is known.
_FIRST = (7, 1)
# Candidates are compared this often, on outcomes that count half after as long.
_EVERY_S = 300.0
_HALF_LIFE_S = 36 * 3600.0
# The first minutes say nothing: everybody starts with the replicas that happened to be there.
_SETTLING_S = 240.0
# Prior: a candidate of price p lets 0.1 / p of the work be late, as sure as an hour of this target's work.
_PRIOR_LATE, _PRIOR_S = 0.1, 3600.0
# What a replica-second of late work beyond the objective is worth at most, in replica-seconds.
_MOST_WORTH = 300.0
# Another candidate must be cheaper by this share.
_WORTH_A_CHANGE = 0.02


@dataclass(frozen=True, slots=True)
class Rule:
    """The candidate in force, and what its like would have done lately."""

    price: float
    hold_s: float
    # Share of the work that the rule would have made late, and mean replicas.
    late: float
    replicas: float


class Shadow:
    """Serves the arrivals that came with the replicas that each candidate would have had.

    The queue is that of `places` per replica, first come first served: admissions A(t) = min(B(t), A(t - service)
    + places(t)), B arrivals. Over one phase of the service time this is a reflected sum, so a block of time is
    a cumulative minimum for all candidates at once (Lindley, 1952).
    """

    def __init__(self, workload: Workload, late_ratio: float) -> None:
        self._workload = workload
        self._late_ratio = late_ratio
        step = workload.step_s
        self._service = max(1, round(workload.service_s / step))
        self._places = workload.capacity * self._service * step
        self._tolerance = int(workload.tolerance_s // step)
        self._steps = workload.steps
        self._cold = int(workload.cold_start_s // workload.bin_s)
        self._holds_s = [hold * max(workload.cold_start_s, workload.bin_s) for hold in HOLDS]
        holds = [int(hold // workload.bin_s) for hold in self._holds_s]
        self._holds = holds
        self._every = max(1, round(_EVERY_S / workload.bin_s))
        # A decision that knows a bin is made, and counts, this many bins after it.
        self._delay = 1 + round(workload.lag_s / workload.bin_s)
        self._past = max(holds) + self._cold + self._delay + 1
        count = len(PRICES) * len(holds)
        # Raw needs by bin and price up to `_end`: at least `_past` bins before this block, and the block so far.
        self._raw: Counts = np.zeros((self._past + self._every, len(PRICES)), dtype=np.int64)
        self._end = 0
        self._work: list[Floats] = []
        # Replicas by step that wait for a whole number of service times; and of the last bin, by candidate.
        self._ready: Counts = np.zeros((0, count), dtype=np.int64)
        self._arrived: Floats = np.zeros(0)
        self._before: Counts | None = None
        self._admitted: Floats = np.zeros((self._service, count))
        self._due: Floats = np.zeros(0)
        self._late: Floats = np.zeros(count)
        self._cost: Floats = np.zeros(count)
        self._served = self._billed = 0.0
        self._bins = 0
        self._mean = 0.0
        self.chosen = _FIRST[0] * len(holds) + _FIRST[1]
        # The candidate in force and what it would have done.
        self.rule = self._describe(self._shares())

    @property
    def price(self) -> int:
        """Which of the prices is in force."""
        return self.chosen // len(HOLDS)

    def held(self) -> int:
        """The count by the rule in force: the highest need that it wanted within its hold."""
        price, hold = divmod(self.chosen, len(HOLDS))
        return int(np.maximum.reduce(self._raw[max(0, self._end - self._holds[hold] - 1) : self._end, price]))

    def see(self, raw: Counts, work: Floats) -> None:
        """The needs that were wanted, by price, when the work of this bin (requests by step) was the newest seen."""
        self._raw[self._end] = raw
        self._end += 1
        self._work.append(work)
        if len(self._work) == self._every:
            self._settle()

    def _settle(self) -> None:
        """Takes a block of bins into account and chooses again."""
        workload, block = self._workload, len(self._work)
        wanted = self._candidates(block)
        kept = self._raw[max(0, self._end - self._past) : self._end]
        self._end = len(kept)
        self._raw[: self._end] = kept.copy()
        ready = _sliding(wanted, self._cold + 1, np.minimum)[-block:]
        billed = wanted[-block:]
        before = np.concatenate((billed[:1] if self._before is None else self._before, billed[:-1]))
        self._before = billed[-1:]
        drained = np.maximum(0, before - billed).sum(axis=0) * workload.service_s
        work = np.concatenate(self._work)
        self._work = []
        late = self._serve(work, np.repeat(ready, self._steps, axis=0))
        self._bins += block
        seconds = block * workload.bin_s
        self._mean += (float(work.sum()) / seconds - self._mean) * block / self._bins
        if self._bins * workload.bin_s > _SETTLING_S + seconds:
            fade = 0.5 ** (seconds / _HALF_LIFE_S)
            self._late = self._late * fade + late
            self._cost = self._cost * fade + billed.sum(axis=0) * workload.bin_s + drained
            self._served = self._served * fade + float(work.sum())
            self._billed = self._billed * fade + seconds
            self._choose()

    def _candidates(self, block: int) -> Counts:
        """Counts by bin and candidate, from `_cold` bins before the block on: the needs, held."""
        low, high = self._workload.min_replicas, self._workload.max_replicas
        known = self._raw[: max(1, self._end - self._delay)]
        missing = block + self._cold - len(known)
        if missing > 0:
            known = np.concatenate((np.repeat(known[:1], missing, axis=0), known))
        keep = block + self._cold
        held = [_sliding(known, hold + 1, np.maximum)[-keep:] for hold in self._holds]
        return np.clip(np.stack(held, axis=2).reshape(len(held[0]), -1), low, high)

    def _serve(self, work: Floats, ready: Counts) -> Floats:
        """Late work by candidate among what can be settled; the rest waits for the next block."""
        self._arrived = np.concatenate((self._arrived, work))
        self._ready = np.concatenate((self._ready, ready))
        service = self._service
        rounds = len(self._arrived) // service
        length = rounds * service
        if not length:
            return np.zeros_like(self._late)
        total = np.add.accumulate(self._arrived[:length])
        capacity = np.add.accumulate(self._ready[:length].reshape(rounds, service, -1) * self._places, axis=0)
        slack = total.reshape(rounds, service, 1) - capacity
        np.minimum.accumulate(slack, axis=0, out=slack)
        admitted = (capacity + np.minimum(slack, self._admitted)).reshape(length, -1)
        # Counted from the end of this block in the next one, so that the numbers stay small.
        self._admitted = admitted[-service:] - total[-1]
        late = self._overdue(total, admitted)
        self._arrived, self._ready = self._arrived[length:], self._ready[length:]
        return late

    def _overdue(self, total: Floats, admitted: Floats) -> Floats:
        """Work that is not admitted within the tolerance, by candidate."""
        tolerance = self._tolerance
        arrived = np.concatenate((self._due, np.diff(total, prepend=0.0)))
        by_now = np.add.accumulate(arrived) - self._due.sum()
        # Arrivals `tolerance` steps before each step; at the very first there are none so far back.
        settled = arrived[: len(admitted)] if len(self._due) == tolerance else arrived[: len(arrived) - tolerance]
        owed = by_now[: len(settled), None] - admitted[-len(settled) :] if len(settled) else admitted[:0]
        self._due = arrived[len(arrived) - tolerance :] if tolerance else arrived[:0]
        late: Floats = np.minimum(np.maximum(owed, 0.0), settled[:, None]).sum(axis=0)
        return late

    def _shares(self) -> Floats:
        prior = self._mean * _PRIOR_S
        late = self._late + np.repeat(_PRIOR_LATE / PRICES, len(HOLDS)) * prior
        return late / max(self._served + prior, 1e-12)

    def _choose(self) -> None:
        """The cheapest, where lateness beyond the ratio costs what it is worth at most.

        So the cheapest that keeps the ratio, as long as one does at a sane price: what nobody could foresee would
        otherwise drive replicas up for a day.
        """
        shares = self._shares()
        cost = self._cost.copy()
        cost[self.chosen] *= 1 - _WORTH_A_CHANGE
        beyond = np.maximum(0.0, shares - self._late_ratio) * self._served
        self.chosen = int(np.argmin(cost + _MOST_WORTH / self._workload.capacity * beyond))
        self.rule = self._describe(shares)

    def _describe(self, shares: Floats) -> Rule:
        price, hold = divmod(self.chosen, len(HOLDS))
        replicas = float(self._cost[self.chosen]) / self._billed if self._billed else 0.0
        return Rule(float(PRICES[price]), self._holds_s[hold], float(shares[self.chosen]), replicas)


def _sliding(values: Counts, width: int, extreme: np.ufunc) -> Counts:
    """The extreme of each row with the `width - 1` before it; fewer at the start."""
    result = values.copy()
    # Two windows side by side, or half over each other, make one of up to twice the width.
    covered = 1
    while covered < width:
        shift = min(covered, width - covered)
        if shift >= len(result):
            shift = max(1, len(result) - 1)
        if shift < len(result):
            result[shift:] = extreme(result[shift:], result[:-shift])
        covered += shift
    return result
