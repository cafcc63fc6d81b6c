"""What decisions cost: CPU time and memory of the autoscaler's core on a week of made-up load, second by second."""

import time
import tracemalloc
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from weirworks_autoscaler.core.step import decide
from weirworks_autoscaler.core.types import Memory, Observation, ScalerSpec

_START = datetime(2026, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_EVERY = 15
_DAY = 86_400
_TARGETS = 100
SPEC = ScalerSpec(
    name="bench", model="*", max_replicas=100, capacity=10.0, utilization=1.0, service_time=timedelta(seconds=4)
)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of a week, CPU milliseconds of one decision for 100 targets, bytes of one target's memory."""

    week_seconds: float
    hundred_milliseconds: float
    target_bytes: int


def measure_decisions() -> Cost:
    """Takes about 15 s."""
    loads = _week()
    began = time.process_time()
    _run(loads, Memory(), 0)
    week = time.process_time() - began
    tracemalloc.start()
    memory = Memory()
    _run(loads[: _DAY // 4], memory, 0)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    memories = [memory, *(_run(loads[: _DAY // 24], Memory(), 0) for _ in range(_TARGETS - 1))]
    times = []
    for _ in range(20):
        began = time.process_time()
        for each in memories:
            end = round((each.until or _START).timestamp() - _START.timestamp()) + _EVERY
            _decide(loads[:end], each, end)
        times.append(time.process_time() - began)
    return Cost(week, float(np.median(times)) * 1e3, size)


def _week() -> np.ndarray:
    seconds = np.arange(7 * _DAY)
    rates = 80 - 60 * np.cos(2 * np.pi * seconds / _DAY)
    # A job every other hour, at minute 32.
    rates[(seconds % 7200 >= 1920) & (seconds % 7200 < 2220)] *= 3
    return np.random.default_rng(1).poisson(rates).astype(float)


def _run(loads: np.ndarray, memory: Memory, start: int) -> Memory:
    for end in range(start + _EVERY, len(loads) + 1, _EVERY):
        _decide(loads[:end], memory, end)
    return memory


def _decide(loads: np.ndarray, memory: Memory, end: int) -> None:
    until = _START + timedelta(seconds=end)
    decide(SPEC, memory, Observation(loads, _SECOND, until, 10), until + timedelta(seconds=_EVERY))
