from hypothesis import given
from hypothesis import strategies as st
from weirworks_inference.core.residency import (
    Eviction,
    Reason,
    Resident,
    Size,
    admit,
    idle,
    over_budget,
    retry_delay,
)

sizes = st.builds(Size, host=st.integers(0, 50), device=st.integers(0, 50))
households = st.lists(
    st.builds(
        Resident,
        key=st.tuples(st.text("ab", min_size=1, max_size=3), st.sampled_from(["1", "2"])),
        size=sizes,
        last_use=st.floats(0, 100),
        pinned=st.booleans(),
        busy=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda each: each.key,
)


def total(residents: list[Resident]) -> Size:
    return sum((each.size for each in residents), Size(0))


@given(sizes, households, sizes)
def test_an_admitted_model_fits_and_nobody_who_must_stay_goes(
    wanted: Size, residents: list[Resident], budget: Size
) -> None:
    admission = admit(wanted, residents, budget)
    gone = {each.key for each in admission.evictions}
    assert all(each.may_go for each in residents if each.key in gone)
    if admission.admitted:
        assert (total([each for each in residents if each.key not in gone]) + wanted).fits(budget)
    else:
        assert not gone


@given(sizes, households, sizes)
def test_a_model_is_refused_only_when_no_eviction_would_help(
    wanted: Size, residents: list[Resident], budget: Size
) -> None:
    if not admit(wanted, residents, budget).admitted:
        staying = [each for each in residents if not each.may_go]
        assert not (total(staying) + wanted).fits(budget)


def test_the_least_recently_used_goes_first_and_no_more_than_needed() -> None:
    residents = [Resident((name, "1"), Size(10), last_use=at) for name, at in (("new", 3), ("old", 1), ("mid", 2))]
    admission = admit(Size(10), residents, Size(30))
    assert admission.evictions == (Eviction(("old", "1"), Reason.LEAST_RECENTLY_USED),)
    assert admission.reason is Reason.MAKES_ROOM


def test_a_model_that_frees_nothing_of_what_is_short_stays() -> None:
    on_host = Resident(("host", "1"), Size(10, 0), last_use=1)
    on_device = Resident(("device", "1"), Size(0, 10), last_use=2)
    admission = admit(Size(0, 10), [on_host, on_device], Size(100, 10))
    assert [each.key for each in admission.evictions] == [("device", "1")]


def test_idle_models_go_unless_pinned_busy_or_told_never() -> None:
    residents = [
        Resident(("idle", "1"), Size(1), last_use=0),
        Resident(("pinned", "1"), Size(1), last_use=0, pinned=True),
        Resident(("busy", "1"), Size(1), last_use=0, busy=True),
        Resident(("used", "1"), Size(1), last_use=500),
    ]
    assert idle(residents, 600, 600) == (Eviction(("idle", "1"), Reason.IDLE),)
    assert idle(residents, 600, 0) == ()


def test_the_model_used_last_stays_however_large_it_turned_out() -> None:
    residents = [Resident(("old", "1"), Size(10), last_use=1), Resident(("new", "1"), Size(100), last_use=2)]
    assert [each.key for each in over_budget(residents, Size(50))] == [("old", "1")]


def test_the_wait_after_failures_doubles_up_to_the_longest() -> None:
    assert [retry_delay(failures, 10, 60) for failures in range(1, 6)] == [10, 20, 40, 60, 60]
    assert retry_delay(10_000, 10, 60) == 60
