import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weirworks_inference.core.batch import BatchRule, Gathering, Reason, Waiting, choose, gather, length_bucket

RULE = BatchRule(rows=8)


def waiting(group: str = "a", rows: int = 1, at: float = 0.0, **fields: object) -> Waiting:
    given_ = {"rule": RULE, "priority": 0, "deadline": math.inf, **fields}
    return Waiting(group=group, rows=rows, joined=at, **given_)  # type: ignore[arg-type]


lines = st.lists(
    st.builds(
        Waiting,
        group=st.sampled_from(["a", "b", "c"]),
        rule=st.builds(BatchRule, rows=st.integers(1, 8), delay=st.sampled_from([0.0, 0.5])),
        rows=st.integers(1, 10),
        priority=st.integers(0, 3),
        joined=st.floats(0, 1),
        deadline=st.floats(0.5, 3),
    ),
    max_size=12,
)


@given(lines, st.floats(1, 4))
def test_a_batch_is_of_one_group_within_its_rule_and_holds_nobody_who_is_late(line: list[Waiting], now: float) -> None:
    choice = choose(line, now)
    assert all(each.deadline <= now for each in choice.expired)
    assert {id(each) for each in choice.run}.isdisjoint(id(each) for each in choice.expired)
    if choice.run:
        leader = choice.run[0]
        assert {each.group for each in choice.run} == {leader.group}
        assert all(each.deadline > now for each in choice.run)
        assert len(choice.run) == 1 or sum(each.rows for each in choice.run) <= leader.rule.rows
    else:
        assert choice.reason in (Reason.NOTHING_WAITS, Reason.WAITING_FOR_MORE)


@given(lines, st.floats(1, 4))
def test_somebody_runs_unless_everybody_may_wait(line: list[Waiting], now: float) -> None:
    choice = choose(line, now)
    alive = [each for each in line if each.deadline > now]
    if alive and not choice.run:
        assert all(each.rule.delay > 0 and each.joined + each.rule.delay > now for each in alive)
        assert choice.look_again is not None
        assert choice.look_again > now


def test_a_free_device_takes_what_waits() -> None:
    line = [waiting(), waiting(), waiting("b")]
    choice = choose(line, 1.0)
    assert choice.run == tuple(line[:2])
    assert choice.reason is Reason.DEVICE_FREE


def test_a_full_batch_leaves_the_rest() -> None:
    line = [waiting(rows=3), waiting(rows=3), waiting(rows=3)]
    choice = choose(line, 1.0)
    assert (len(choice.run), choice.reason) == (2, Reason.FULL)


def test_a_request_larger_than_the_rule_runs_alone() -> None:
    line = [waiting(rows=20), waiting()]
    assert choose(line, 1.0).run == (line[0],)


def test_the_most_urgent_leads_and_age_makes_urgent() -> None:
    old, urgent = waiting("old", priority=5, at=0.0), waiting("urgent", priority=1, at=3.0)
    assert choose([old, urgent], 3.5).run == (urgent,)
    assert choose([old, urgent], 9.0).run == (urgent,)
    later = waiting("urgent", priority=1, at=8.9)
    assert choose([old, later], 9.0).run == (old,)


def test_a_delay_waits_for_company_but_not_for_ever() -> None:
    rule = BatchRule(rows=8, delay=0.5)
    line = [waiting(rule=rule)]
    choice = choose(line, 0.2)
    assert (choice.run, choice.look_again) == ((), 0.5)
    assert choose(line, 0.5).reason is Reason.DELAY_OVER


def test_a_group_that_waits_does_not_hold_up_another() -> None:
    patient, ready = waiting("patient", rule=BatchRule(8, 0.5)), waiting("ready")
    assert choose([patient, ready], 0.1).run == (ready,)


def test_callers_who_were_just_answered_are_waited_for_a_moment() -> None:
    ran, line = [waiting() for _ in range(5)], [waiting(at=1.0) for _ in range(3)]
    gathering = gather(ran, line, seconds=0.02, now=2.0)
    assert gathering == Gathering("a", 8, 2.002)
    assert choose(line, 2.001, gathering).run == ()
    assert len(choose([*line, *ran], 2.001, gathering).run) == 8
    assert choose(line, 2.002, gathering).run == tuple(line)


def test_nobody_waits_for_company_that_never_was() -> None:
    assert gather([waiting()], [], 0.02, 1.0) is None
    assert gather([waiting(rule=BatchRule(1))], [waiting(), waiting()], 0.02, 1.0) is None


@pytest.mark.parametrize("length", range(1, 600))
def test_a_bucket_holds_its_length_and_wastes_at_most_a_third(length: int) -> None:
    bucket = length_bucket(length)
    assert bucket >= length
    assert bucket <= max(8, length * 4 / 3)
    assert length_bucket(bucket) == bucket
