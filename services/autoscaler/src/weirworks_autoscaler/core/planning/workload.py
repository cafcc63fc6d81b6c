"""What is served, in the terms of a queue."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Workload:
    """One target as the planner sees it. Times in seconds, capacities in requests per second and replica."""

    # What one replica carries when it always has work.
    capacity: float
    # How long a request holds its place.
    service_s: float
    # A request that waits longer than this for its place is late.
    tolerance_s: float
    # From a decision to a replica that answers.
    cold_start_s: float
    # Age of the newest load when a decision is made.
    lag_s: float
    # Width of a measured load.
    step_s: float
    # Width of what is planned for: a whole number of steps.
    bin_s: float
    # What repeats: an hour, a day; the longest also shapes the expected level.
    seasons_s: tuple[float, ...]
    min_replicas: int
    max_replicas: int

    @property
    def steps(self) -> int:
        """Steps in a bin."""
        return max(1, round(self.bin_s / self.step_s))

    @property
    def lead(self) -> int:
        """Bins from the newest seen to the one in which a replica that is started now is ready."""
        return math.floor((self.lag_s + self.cold_start_s) / self.bin_s) + 1

    @property
    def grain(self) -> float:
        """Replicas' worth of need that one request makes."""
        return 1.0 / (self.capacity * max(self.step_s, self.service_s + self.tolerance_s))

    def bounded(self, replicas: int) -> int:
        """Within minimum and maximum."""
        return max(self.min_replicas, min(self.max_replicas, replicas))
