import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weirworks_inference.core.batch import BatchRule
from weirworks_inference.errors import QueueFull
from weirworks_inference.lane import Job, Lane, Ran, alone
from weirworks_rpc.errors import DeadlineExceeded


def tagged(tag: int, seconds: float = 10.0, rows: int = 8, bytes_: int = 0) -> Job:
    now = time.monotonic()
    return Job("group", BatchRule(rows), 1, 0, now, now + seconds, "model", double, tag, bytes_)


def double(jobs: Sequence[Job]) -> Ran:
    return Ran([job.payload * 2 for job in jobs])


@pytest.fixture
async def lane() -> AsyncIterator[Lane]:
    opened = Lane(limit=1000, limit_bytes=1000, share=1.0)
    yield opened
    opened.close()


async def held(lane: Lane) -> threading.Event:
    """Keeps the thread busy until the event is set."""
    gate, begun = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        gate.wait(10)

    task = asyncio.create_task(lane.run(alone("busy", wait, 10)))
    await asyncio.get_running_loop().run_in_executor(None, begun.wait, 10)
    task.add_done_callback(lambda done: done.exception())
    return gate


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["stay", "leave", "late"]), min_size=1, max_size=40))
def test_answers_never_cross_whoever_leaves(fates: list[str]) -> None:
    async def scenario() -> None:
        lane = Lane(1000, 1000, 1.0)
        gate = await held(lane)
        tasks = [
            asyncio.create_task(lane.run(tagged(tag, 0.0 if fate == "late" else 10.0)))
            for tag, fate in enumerate(fates)
        ]
        await asyncio.sleep(0)
        for task, fate in zip(tasks, fates, strict=True):
            if fate == "leave":
                task.cancel()
        gate.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for tag, (fate, outcome) in enumerate(zip(fates, outcomes, strict=True)):
            if fate == "stay":
                assert getattr(outcome, "value", None) == tag * 2
            elif fate == "late":
                assert isinstance(outcome, DeadlineExceeded)
            else:
                assert isinstance(outcome, asyncio.CancelledError)
        assert lane.waiting == 0
        lane.close()

    asyncio.run(scenario())


async def test_those_who_wait_run_together(lane: Lane) -> None:
    gate = await held(lane)
    tasks = [asyncio.create_task(lane.run(tagged(tag))) for tag in range(5)]
    await asyncio.sleep(0)
    gate.set()
    done = await asyncio.gather(*tasks)
    assert [each.rows for each in done] == [5] * 5
    assert [each.leads for each in done] == [True, False, False, False, False]


async def test_a_full_line_refuses_by_model_and_by_bytes() -> None:
    lane = Lane(limit=2, limit_bytes=100, share=1.0)
    gate = await held(lane)
    waiting = [asyncio.create_task(lane.run(tagged(tag))) for tag in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull) as caught:
        await lane.run(tagged(9))
    assert caught.value.retry_after is not None
    gate.set()
    await asyncio.gather(*waiting)
    gate = await held(lane)
    large = asyncio.create_task(lane.run(tagged(1, bytes_=90)))
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await lane.run(tagged(2, bytes_=20))
    gate.set()
    await large
    # One that is larger than the whole limit is taken when nothing else waits.
    assert (await lane.run(tagged(3, bytes_=500))).value == 6
    lane.close()


async def test_what_a_job_raises_is_its_callers_alone(lane: Lane) -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await lane.run(alone("model", fail, 10))
    assert (await lane.run(tagged(4))).value == 8


async def test_a_share_of_a_core_is_held_to() -> None:
    lane = Lane(1000, 1000, share=0.2)
    start = time.monotonic()

    def spin() -> None:
        end = time.thread_time() + 0.03
        while time.thread_time() < end:
            pass

    for _ in range(6):
        await lane.run(alone("model", spin, 10))
    # 0.18 s of CPU time at a fifth of a core are 0.9 s, less the slice that the account began with and the last wait.
    assert time.monotonic() - start > 0.4
    lane.close()


async def test_closing_cancels_who_waits() -> None:
    lane = Lane(1000, 1000, 1.0)
    gate = await held(lane)
    task = asyncio.create_task(lane.run(tagged(1)))
    await asyncio.sleep(0)
    lane.close()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
