"""Load → need: how many replicas' worth of places arrivals ask for."""

import numpy as np
from numpy.typing import NDArray

from weirworks_autoscaler.core.planning.workload import Workload

Floats = NDArray[np.float64]


class Need:
    """Replicas needed at every step, at full use.

    A replica with a place free after `service_s` lets an arrival wait `tolerance_s`: so what counts is the mean
    load over the two together. A shorter peak is taken up by the places and by the wait that is allowed.
    """

    def __init__(self, workload: Workload) -> None:
        width = max(1, round((workload.service_s + workload.tolerance_s) / workload.step_s))
        self._per_load = 1.0 / (width * workload.capacity)
        self._tail: Floats = np.zeros(width)

    def of(self, loads: Floats) -> Floats:
        """Need at each of the newest steps, from requests per second of those steps."""
        width = len(self._tail)
        joined = np.concatenate((self._tail, loads))
        sums = np.add.accumulate(joined)
        self._tail = joined[-width:]
        needs: Floats = (sums[width:] - sums[:-width]) * self._per_load
        return needs
