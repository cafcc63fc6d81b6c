"""What the planner learns, told as loads."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weirworks_autoscaler.core.planning.level import Level
from weirworks_autoscaler.core.planning.need import Need
from weirworks_autoscaler.core.planning.planner import Planner
from weirworks_autoscaler.core.planning.shadow import HOLDS, PRICES, Shadow
from weirworks_autoscaler.core.planning.spread import Spread
from weirworks_autoscaler.core.planning.workload import Workload

HOUR, DAY = 3600, 86400
WORK = Workload(
    capacity=4.0,
    service_s=4.0,
    tolerance_s=1.0,
    cold_start_s=60.0,
    lag_s=15.0,
    step_s=1.0,
    bin_s=15.0,
    seasons_s=(HOUR, DAY),
    min_replicas=1,
    max_replicas=50,
)


def poisson(rates: np.ndarray, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).poisson(rates).astype(float)


def wanted(planner: Planner, loads: np.ndarray) -> np.ndarray:
    """The count after each bin, from the third on in force two bins later."""
    counts = []
    for start in range(0, len(loads), 15):
        planner.see(loads[start : start + 15])
        counts.append(1 if planner.replicas is None else planner.replicas)
    return np.array(counts)


def late(workload: Workload, loads: np.ndarray, replicas: np.ndarray) -> np.ndarray:
    """Work not admitted within the tolerance, by the queue's recurrence second by second; replicas by second."""
    service, tolerance = int(workload.service_s), int(workload.tolerance_s)
    total, admitted, over = np.cumsum(loads), np.zeros(service), []
    for second in range(len(loads)):
        places = replicas[second] * workload.capacity * service
        now = min(total[second], admitted[second] + places)
        admitted = np.append(admitted, now)
        if second >= tolerance:
            arrived = second - tolerance
            over.append(min(loads[arrived], max(0.0, total[arrived] - now)))
    return np.array(over)


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=60), st.integers(1, 59))
def test_need_is_the_mean_load_over_service_and_tolerance(loads: list[float], cut: int) -> None:
    whole = Need(WORK).of(np.array(loads))
    pieces = Need(WORK)
    parts = np.concatenate([pieces.of(np.array(loads[:cut])), pieces.of(np.array(loads[cut:]))])
    assert np.allclose(whole, parts, atol=1e-6)
    # Before the first step, the same load is taken to have come.
    assert whole[-1] == pytest.approx(sum(([loads[0]] * 5 + loads)[-5:]) / 5 / 4, abs=1e-6)


def test_the_level_learns_what_rises_every_day() -> None:
    level, lead = Level(WORK), WORK.lead
    bins = np.arange(3 * DAY // 15)
    truth = 20 - 15 * np.cos(2 * np.pi * bins / (DAY // 15))
    waiting: list[tuple[float, np.ndarray]] = []
    errors = []
    for number, need in enumerate(truth):
        if number >= lead:
            expected, features = waiting.pop(0)
            errors.append(abs(need - expected))
            level.learn(features, expected, need)
        waiting.append(level.expect(need))
    assert np.mean(errors[-DAY // 15 :]) < 0.02
    # Had the level now been taken for the one to come:
    assert np.abs(truth[lead:] - truth[:-lead]).mean() > 0.05


def test_the_spread_is_a_falling_share_of_time() -> None:
    spread, chance = Spread(WORK), np.random.default_rng(3)
    for number in range(3000):
        spread.learn(number, 10.0, chance.normal(0, 2, 60))
    edges, above = spread.ahead(3001, 10.0)
    assert (np.diff(edges) <= 0).all()
    assert (np.diff(above) >= 0).all()
    assert 0 <= above[0] <= above[-1] <= 1 + 1e-6
    # A normal error of two replicas lies above 13.3 in a twentieth of the time.
    assert np.interp(-13.3, -edges, above) == pytest.approx(0.05, abs=0.02)


def test_a_burst_at_the_same_minute_of_each_hour_is_met() -> None:
    rates = np.full(30 * HOUR, 8.0)
    for hour in range(30):
        start = hour * HOUR + 1800
        rates[start : start + 240] = 60.0
    counts = wanted(Planner(WORK, 0.008), poisson(rates))
    by_hour = counts.reshape(30, -1)
    # One bin is 15 s; a count decided with the news of bin n rules from bin n + 2 and is ready after 60 s.
    ready_at_burst = by_hour[-6:, 120 - 2 - 4]
    assert (ready_at_burst >= 14).all(), ready_at_burst
    assert np.median(by_hour[-6:, 20:100]) <= 5


def test_nothing_is_kept_for_a_burst_that_came_once() -> None:
    rates = np.full(6 * HOUR, 8.0)
    rates[HOUR : HOUR + 120] = 80.0
    counts = wanted(Planner(WORK, 0.008), poisson(rates))
    assert np.median(counts[-600:]) <= 5


def test_a_target_that_may_sleep_sleeps_and_wakes_for_its_hour() -> None:
    sleepy = replace(WORK, min_replicas=0, capacity=1 / 24, service_s=24.0, tolerance_s=30.0)
    rates = np.zeros(6 * DAY)
    for day in range(6):
        rates[day * DAY + 9 * HOUR : day * DAY + 11 * HOUR] = 0.1
    counts = wanted(Planner(sleepy, 0.008), poisson(rates)).reshape(6, -1)
    assert counts[-2:, 18 * 240 : 24 * 240].mean() < 0.1
    # Awake before nine, though nothing was asked for since eleven yesterday.
    assert (counts[-2:, 9 * 240 - 1] >= 1).all()


def test_the_late_share_is_kept_with_less_than_the_peak() -> None:
    seconds = np.arange(3 * DAY)
    rates = 60 - 40 * np.cos(2 * np.pi * seconds / DAY)
    loads = poisson(rates)
    counts = wanted(Planner(WORK, 0.008), loads)
    ready = np.minimum.reduce([np.roll(counts, shift) for shift in range(2, 7)])
    served = late(WORK, loads, np.repeat(ready, 15))
    second_half = slice(DAY, None)
    assert served[second_half].sum() / loads[second_half].sum() < 0.01
    assert counts[DAY // 15 :].mean() < 1.35 * rates.mean() / WORK.capacity


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 9),
    st.sampled_from([0, 1, 3, 30]),
    st.floats(2, 30),
    st.integers(0, 1000),
)
def test_the_shadow_counts_what_a_queue_would_count(service: int, tolerance: int, rate: float, seed: int) -> None:
    workload = replace(WORK, service_s=float(service), tolerance_s=float(tolerance))
    loads = poisson(np.full(4 * 300, rate), seed)
    loads[500:560] *= 3
    shadow = Shadow(workload, 0.01)
    price = len(PRICES) // 2
    for start in range(0, len(loads), 15):
        shadow.see(np.full(len(PRICES), 5, dtype=np.int64), loads[start : start + 15])
    whole = len(loads) // service * service
    # The first block is for settling, and does not count.
    expected = late(workload, loads[:whole], np.full(whole, 5))
    first = 300 // service * service - tolerance
    counted = shadow._late[price * len(HOLDS)]
    fade = 0.5 ** (300 / (36 * HOUR))
    assert counted == pytest.approx(expected[max(0, first) :].sum(), rel=3 * (1 - fade) + 1e-9, abs=1e-6)


def test_the_rule_follows_the_objective() -> None:
    loads = poisson(np.tile(np.repeat([20.0, 20.0, 50.0], 600), 60))
    strict, lax = Planner(WORK, 0.003), Planner(WORK, 0.05)
    dear, cheap = wanted(strict, loads), wanted(lax, loads)
    assert dear.mean() > cheap.mean()
    plans = strict.plan(), lax.plan()
    assert plans[0] is not None
    assert plans[1] is not None
    assert plans[0].rule.price > plans[1].rule.price
    assert plans[0].rule.late <= 0.003


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=20), st.floats(0, 1e5), st.integers(0, 50))
def test_any_pieces_of_any_load_give_counts_within_the_bounds(pieces: list[int], rate: float, low: int) -> None:
    workload = replace(WORK, min_replicas=min(low, 50))
    loads = poisson(np.full(sum(pieces), rate))
    one, many = Planner(workload, 0.008), Planner(workload, 0.008)
    one.see(loads)
    start = 0
    for piece in pieces:
        many.see(loads[start : start + piece])
        start += piece
    assert one.plan() == many.plan()
    if one.replicas is not None:
        assert workload.min_replicas <= one.replicas <= 50
