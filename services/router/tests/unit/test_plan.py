import pytest
from weirworks_router.core.breaker import Breaker
from weirworks_router.core.choice import EndpointView, choose
from weirworks_router.core.experiment import assigned
from weirworks_router.core.plan import band_of, plan
from weirworks_router.core.types import BackendView, Band, Price, Reason, Thresholds

ORDER = {
    Band.LOCAL: ("small", "large"),
    Band.EXPERIMENT: ("small", "large"),
    Band.PROVIDER: ("large", "small"),
}
THRESHOLDS = Thresholds(order=ORDER)
COMPLEX = "Analyze and compare the contract clause, explain the diagnosis and design a Python API"


def views(*resting: str) -> dict[str, BackendView]:
    prices = {"small": Price(0.0001), "large": Price(0.02)}
    return {name: BackendView(name, price, 1.5, name in resting) for name, price in prices.items()}


def test_a_simple_prompt_goes_to_the_local_band() -> None:
    made = plan("Merhaba", "s", THRESHOLDS, views())
    assert (made.order, made.reason, made.expected_cost) == (("small", "large"), Reason.SIMPLE_PROMPT, 0.0001)
    assert made.expected_latency == 1.5
    assert made.confidence > 0.9


def test_a_complex_prompt_goes_to_a_provider() -> None:
    made = plan(COMPLEX, "s", THRESHOLDS, views())
    assert (made.order, made.reason, made.band) == (("large", "small"), Reason.COMPLEX_PROMPT, Band.PROVIDER)


def test_a_backend_that_rests_comes_last_with_its_reason() -> None:
    made = plan(COMPLEX, "s", THRESHOLDS, views("large"))
    assert (made.order, made.reason) == (("small", "large"), Reason.BACKEND_RESTING)


def test_without_backends_there_is_nothing_to_try() -> None:
    made = plan("Merhaba", "s", THRESHOLDS, {})
    assert (made.order, made.reason) == ((), Reason.NO_BACKEND)


def test_backends_of_no_band_are_the_last_fallback() -> None:
    extra = {**views(), "spare": BackendView("spare", Price(), 1, False)}
    assert plan("Merhaba", "s", THRESHOLDS, extra).order == ("small", "large", "spare")


def test_an_experiment_is_split_evenly_and_sticks() -> None:
    arms = [assigned(f"subject-{number}", ["a", "b"]) for number in range(2000)]
    assert 900 < arms.count("a") < 1100
    assert arms == [assigned(f"subject-{number}", ["a", "b"]) for number in range(2000)]


@pytest.mark.parametrize(
    ("score", "band"),
    [(0, Band.LOCAL), (29.9, Band.LOCAL), (30, Band.EXPERIMENT), (59.9, Band.EXPERIMENT), (60, Band.PROVIDER)],
)
def test_a_border_belongs_to_the_harder_band(score: float, band: Band) -> None:
    assert band_of(score, THRESHOLDS) is band


def test_prices_add_up() -> None:
    assert Price(0.01, 1.0, 2.0).of(1_000_000, 500_000) == pytest.approx(2.01)


def test_three_failures_open_a_breaker_and_each_next_doubles_its_rest() -> None:
    breaker = Breaker()
    for now in (0.0, 1.0):
        breaker = breaker.after_failure(now)
        assert not breaker.rests(now)
    breaker = breaker.after_failure(2.0)
    assert breaker.rests(2.9)
    assert not breaker.rests(3.1)
    assert breaker.after_failure(3.1).rests(5.0)
    assert breaker.after_success() == Breaker()


def test_the_less_loaded_of_two_gets_the_request() -> None:
    endpoints = [EndpointView("a", 5, False), EndpointView("b", 1, False)]
    assert {choose(endpoints, random / 10).address for random in range(10)} == {"b"}


def test_every_pair_is_compared_and_resting_ones_wait() -> None:
    endpoints = [EndpointView(name, load, name == "d") for load, name in enumerate("abcd")]
    chosen = [choose(endpoints, random / 600).address for random in range(600)]
    assert set(chosen) == {"a", "b"}
    assert 350 < chosen.count("a") < 450
    assert choose([EndpointView("d", 0, True)], 0.5).address == "d"
    assert choose([], 0.5) is None
