from hypothesis import given
from hypothesis import strategies as st
from weirworks_inference.core.quota import PERIOD, behind, charge, opened

runs = st.lists(st.tuples(st.floats(0.0001, 0.2), st.floats(0, 0.5)), min_size=1, max_size=60)


@given(st.floats(0.05, 0.95), runs)
def test_use_never_exceeds_the_share_by_more_than_one_run_and_one_slice(
    share: float, pairs: list[tuple[float, float]]
) -> None:
    now, used = 0.0, 0.0
    account = opened(share, now)
    for run, idle in pairs:
        assert used <= share * now + share * PERIOD + 1e-9
        now += run
        account, wait = charge(account, share, run, now)
        used += run
        now += wait + idle


def test_an_idle_thread_runs_at_once() -> None:
    account, wait = charge(opened(0.5, 0.0), 0.5, 0.01, 10.0)
    assert wait == 0
    assert account.left > 0


def test_a_start_takes_its_share_too() -> None:
    assert behind(0.25, used=1.0, elapsed=1.5) == 2.5
    assert behind(0.25, used=1.0, elapsed=9.0) == 0
