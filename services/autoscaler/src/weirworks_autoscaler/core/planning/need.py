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
        self._width = width
        # The loads of the last `width` steps; before the first, the same is taken to have come.
        self._tail: Floats | None = None

    def of(self, loads: Floats) -> Floats:
        """Need at each of the newest steps, from requests per second of those steps."""
        width = self._width
        if not len(loads):
            return loads
        if self._tail is None:
            self._tail = np.full(width, loads[0])
        joined = np.concatenate((self._tail, loads))
        sums = np.add.accumulate(joined)
        self._tail = joined[-width:]
        needs: Floats = (sums[width:] - sums[:-width]) * self._per_load
        return needs
