from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from weirworks_inference.core.foresight import Slot, learn, plan, replay, slot_of

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)


Hours = dict[int, set[str]]


def weeks(count: int, used_at: Hours, weekend: Hours) -> list[tuple[datetime, frozenset[str]]]:
    hours = []
    for number in range(count * 7 * 24):
        moment = MONDAY + number * HOUR
        day = weekend if moment.weekday() >= 5 else used_at
        hours.append((moment, frozenset(day.get(moment.hour, set()))))
    return hours


def test_a_model_used_every_weekday_morning_is_loaded_before_it() -> None:
    verdict = replay(weeks(3, {9: {"xray"}, 10: {"xray"}}, {}), limit=4)
    assert verdict.hit_rate == 1.0
    # The first two days it was not known yet.
    assert verdict.coverage > 0.85


def test_weekends_have_habits_of_their_own() -> None:
    habits: dict = {}
    for hour, used in weeks(2, {9: {"xray"}}, {9: {"photo"}}):
        habits = learn(habits, hour, used, {"xray", "photo"})
    assert [each.model for each in plan(habits, MONDAY + timedelta(days=14, hours=9), (), 4)] == ["xray"]
    assert [each.model for each in plan(habits, MONDAY + timedelta(days=19, hours=9), (), 4)] == ["photo"]


def test_what_is_in_memory_is_not_loaded_ahead_and_the_limit_holds() -> None:
    habits: dict = {}
    for hour, used in weeks(2, {9: {"a", "b", "c"}}, {}):
        habits = learn(habits, hour, used, {"a", "b", "c"})
    coming = MONDAY + timedelta(days=14, hours=9)
    assert [each.model for each in plan(habits, coming, ("a",), 4)] == ["b", "c"]
    assert len(plan(habits, coming, (), 2)) == 2
    assert plan(habits, coming, (), 0) == ()


def test_an_old_habit_fades() -> None:
    habits: dict = {}
    for week in range(6):
        used = {"gone"} if week < 3 else set()
        for day in range(5):
            habits = learn(habits, MONDAY + timedelta(weeks=week, days=day, hours=9), used, {"gone"})
    assert plan(habits, MONDAY + timedelta(weeks=6, hours=9), (), 4) == ()


def test_a_model_used_now_and_then_is_not_loaded_ahead() -> None:
    habits: dict = {}
    for day in range(20):
        habits = learn(habits, MONDAY + timedelta(days=day, hours=9), {"rare"} if day % 4 == 0 else set(), {"rare"})
    assert plan(habits, MONDAY + timedelta(days=21, hours=9), (), 4) == ()


@given(st.integers(0, 10_000))
def test_a_slot_is_the_same_a_week_later(hours: int) -> None:
    moment = MONDAY + hours * HOUR
    assert slot_of(moment) == slot_of(moment + timedelta(days=7))
    assert isinstance(slot_of(moment), Slot)
