"""The decision, told as stories."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from weirworks_autoscaler.core.step import decide, replicas_for
from weirworks_autoscaler.core.types import Decision, Memory, Observation, Reason, ScalerSpec

START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=10)
SPEC = ScalerSpec(
    name="chat",
    model="m",
    min_replicas=1,
    max_replicas=10,
    capacity=10,
    utilization=1.0,
    forecast_enabled=False,
    season=timedelta(minutes=10),
    lead_time=timedelta(seconds=30),
    lag=timedelta(0),
    interval=STEP,
    down_margin=0,
    stabilization=timedelta(minutes=5),
)


class Scenario:
    def __init__(self, spec: ScalerSpec, replicas: int = 1) -> None:
        self.spec = spec
        self.memory = Memory()
        self.replicas = replicas

    def at(self, clock: str, load: float | None) -> Decision:
        minutes, seconds = clock.split(":")
        now = START + timedelta(minutes=int(minutes), seconds=int(seconds))
        loads = np.zeros(0) if load is None else np.full(5, load)
        return self.see(loads, now, None if load is None else now)

    def see(self, loads: np.ndarray, now: datetime, until: datetime | None) -> Decision:
        seen = Observation(loads, STEP, until, self.replicas)
        self.memory, decision = decide(self.spec, self.memory, seen, now)
        self.replicas = decision.replicas
        return decision


def test_load_grows_the_target_at_once() -> None:
    decision = Scenario(SPEC).at("0:00", load=40.1)
    assert (decision.replicas, decision.reason) == (5, Reason.LOAD)
    assert "40.1 requests/s need 5" in decision.message


def test_scale_down_waits_for_the_stabilization_window_and_goes_one_at_a_time() -> None:
    story = Scenario(SPEC)
    assert story.at("0:00", load=40).replicas == 4
    assert story.at("4:59", load=1).reason is Reason.STABILIZING
    assert story.at("5:01", load=1).replicas == 3
    assert story.at("5:02", load=1).replicas == 2


def test_a_margin_keeps_what_is_hardly_too_much() -> None:
    story = Scenario(replace(SPEC, down_margin=2, stabilization=timedelta(0)), replicas=5)
    assert story.at("0:00", load=30).reason is Reason.HYSTERESIS
    assert story.at("0:10", load=19).replicas == 4


def test_missing_and_stale_data_keep_the_count() -> None:
    story = Scenario(SPEC, replicas=3)
    assert story.at("0:00", load=None).reason is Reason.NO_DATA
    old = story.see(np.full(5, 99.0), START + timedelta(minutes=10), START)
    assert (old.replicas, old.reason) == (3, Reason.NO_DATA)


def test_bounds_hold_with_their_reason() -> None:
    assert Scenario(SPEC).at("0:00", load=1000).reason is Reason.AT_MAXIMUM
    nothing = Scenario(SPEC, replicas=2).at("0:00", load=0)
    assert (nothing.replicas, nothing.reason) == (1, Reason.AT_MINIMUM)


def test_growth_is_limited_when_asked_for() -> None:
    decision = Scenario(replace(SPEC, max_step_up=2)).at("0:00", load=80)
    assert (decision.replicas, decision.reason) == (3, Reason.RATE_LIMITED)


def test_more_than_the_maximum_is_cut_at_once() -> None:
    assert Scenario(SPEC, replicas=15).at("0:00", load=200).replicas == 10


def days(count: float) -> np.ndarray:
    """A quiet night and a busy noon: 5 to 55 requests/s, over 60 steps of 10 s."""
    steps = np.arange(int(count * 60))
    return 30 - 25 * np.cos(2 * np.pi * steps / 60)


def test_a_forecast_grows_the_target_before_the_ramp_crosses_its_capacity() -> None:
    history = days(6)
    for end in range(5 * 60, 5 * 60 + 30):
        story = Scenario(replace(SPEC, forecast_enabled=True), replicas=2)
        decision = story.see(history[:end], START, START)
        if decision.replicas > 2:
            break
    assert decision.reason is Reason.FORECAST
    assert decision.load < 2 * SPEC.capacity
    assert decision.forecast_replicas is not None
    assert decision.forecast_replicas > decision.reactive
    assert history[end + 3] > 2 * SPEC.capacity
    without = Scenario(SPEC, replicas=2).see(history[:end], START, START)
    assert without.replicas <= 2


def test_a_history_told_in_pieces_leads_to_the_same_decision() -> None:
    spec, history = replace(SPEC, forecast_enabled=True), days(3.3)
    pieces = Scenario(spec)
    for end in range(60, len(history) + 1):
        piece = pieces.see(history[:end], START + STEP * end, START + STEP * end)
        pieces.replicas = 1
    whole = Scenario(spec).see(history, START + STEP * len(history), START + STEP * len(history))
    assert piece == whole


def test_history_that_is_brought_in_later_is_learned_from() -> None:
    spec, history = replace(SPEC, forecast_enabled=True), days(3)
    story = Scenario(spec)
    assert story.see(history[-1:], START, START).forecast_load is None
    now = START + STEP
    later = story.see(np.append(history, 5.0), now, now)
    assert later.forecast_load is not None


def test_a_clock_that_jumps_makes_the_memory_anew() -> None:
    spec, history = replace(SPEC, forecast_enabled=True), days(3)
    for jump in (timedelta(hours=1), -timedelta(hours=1)):
        story = Scenario(spec, replicas=4)
        before = story.see(history, START, START)
        story.replicas = 4
        after = story.see(history, START + jump, START + jump)
        assert abs(after.replicas - before.replicas) <= 1


@given(
    st.lists(st.floats(0, 1e4), min_size=1, max_size=100),
    st.integers(0, 20),
    st.booleans(),
    st.integers(1, 5),
    st.integers(5, 12),
)
def test_the_count_is_always_within_its_bounds_or_on_its_way_down(
    loads: list[float], replicas: int, forecasting: bool, low: int, high: int
) -> None:
    spec = replace(SPEC, forecast_enabled=forecasting, min_replicas=low, max_replicas=high)
    decision = Scenario(spec, replicas).see(np.array(loads), START, START)
    assert low <= decision.replicas <= high
    assert decision.replicas >= min(high, decision.reactive)


@given(st.floats(0, 1e6))
def test_the_replicas_for_a_load_carry_it(load: float) -> None:
    assert replicas_for(load, SPEC) * SPEC.capacity >= load - 1e-6
