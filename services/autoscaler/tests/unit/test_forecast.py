from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from weirworks_autoscaler.core.forecast.choice import forecast
from weirworks_autoscaler.core.forecast.methods import METHODS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=10)
SEASON = 60
loads = npst.arrays(np.float64, st.integers(1, 200), elements=st.floats(0, 1e5))


def waves(seasons: float, noise: float = 0.0) -> np.ndarray:
    steps = np.arange(int(seasons * SEASON))
    chance = np.random.default_rng(1)
    return 100 + 80 * np.sin(2 * np.pi * steps / SEASON) + noise * chance.standard_normal(len(steps))


def ahead(history: np.ndarray, horizon: int = 10, quantile: float = 0.9):
    return forecast(history, STEP, NOW, STEP * SEASON, horizon, quantile)


def test_a_wave_is_continued() -> None:
    made = ahead(waves(4.25))
    assert made is not None
    assert made.method == "seasonal"
    truth = 100 + 80 * np.sin(2 * np.pi * (np.arange(10) + 4.25 * SEASON) / SEASON)
    assert np.abs(made.median - truth).max() < 5


def test_most_of_what_comes_lies_under_the_upper_quantile() -> None:
    history = waves(8, noise=10)
    under = []
    for end in range(4 * SEASON, 8 * SEASON - 5, 3):
        made = ahead(history[:end], horizon=5)
        assert made is not None
        under.append(history[end + 4] <= made.upper[4])
    assert 0.82 < np.mean(under) < 0.98


def test_without_a_season_the_level_or_its_trend_is_used() -> None:
    made = ahead(np.full(30, 50.0))
    assert made is not None
    assert made.method in ("trend", "naive")
    assert np.allclose(made.median, 50)


def test_too_little_history_gives_no_forecast() -> None:
    assert ahead(np.ones(5)) is None
    assert ahead(np.zeros(0)) is None


@given(loads, st.integers(1, 30), st.floats(0.6, 0.99))
def test_quantiles_are_ordered_finite_and_not_negative(history: np.ndarray, horizon: int, quantile: float) -> None:
    made = ahead(history, horizon, quantile)
    if made is None:
        return
    assert len(made.upper) == horizon
    assert np.isfinite(made.upper).all()
    assert (made.lower >= 0).all()
    assert (made.median <= made.upper + 1e-9).all()


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_it_would_have_said(name: str) -> None:
    history = waves(3)
    whole = METHODS[name](history, SEASON, 4)
    cut = METHODS[name](history[:-20], SEASON, 4)
    assert len(whole) == len(history) + 4
    # No method may look ahead: the end of a shorter history is the same point of the longer one.
    assert np.allclose(cut[-5:-4], whole[len(history) - 21 : len(history) - 20], rtol=0.06, equal_nan=True)
