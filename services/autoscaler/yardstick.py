"""The deployed decision core behind the interface of a trace replay: `yardstick:Policy`.

Only `src` beside this file has to be found. Of an observation the policy reads `now`, `visible`, `load`, `replicas`.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "src"))

from weirworks_autoscaler.core.step import decide
from weirworks_autoscaler.core.types import Memory, Observation, ScalerSpec

_START = datetime(2026, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
# What headroom 1 means: the service's default objective.
_LATE = 0.01


class Policy:
    """Asked every 15 s with metrics that are 15 s old, as the service runs.

    `headroom` h allows 1 / h² times the late requests of the default objective.
    """

    name = "weirworks"
    reconcile_s = lag_s = 15

    def __init__(self, deployment: Any, headroom: float = 1.0) -> None:
        self._spec = ScalerSpec(
            name="replay",
            model="*",
            min_replicas=deployment.min_replicas,
            max_replicas=deployment.max_replicas,
            capacity=deployment.capacity,
            utilization=1.0,
            max_late_ratio=_LATE / headroom**2,
            tolerance=timedelta(seconds=deployment.slo_wait_s),
            service_time=timedelta(seconds=deployment.service_s),
            lead_time=timedelta(seconds=deployment.cold_start_s),
            lag=timedelta(seconds=self.lag_s),
            interval=timedelta(seconds=self.reconcile_s),
        )
        self._memory = Memory()

    def desired(self, observation: Any) -> int:
        """Replicas wanted now."""
        until = _START + timedelta(seconds=observation.visible)
        seen = Observation(observation.load, _SECOND, until, observation.replicas)
        now = _START + timedelta(seconds=observation.now)
        self._memory, decision = decide(self._spec, self._memory, seen, now)
        return decision.replicas
