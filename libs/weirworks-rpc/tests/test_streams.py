import asyncio
from collections.abc import AsyncIterator

import pytest
from weirworks_rpc.streams import in_order


async def counted(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def test_answers_come_in_order_however_long_each_takes() -> None:
    gates = [asyncio.Event() for _ in range(4)]

    async def answer(number: int) -> int:
        if number + 1 < len(gates):
            await gates[number + 1].wait()
        gates[number].set()
        return number

    assert [each async for each in in_order(counted(4), answer, 8)] == [0, 1, 2, 3]


async def test_an_answer_does_not_wait_for_the_next_request() -> None:
    asked: asyncio.Queue[int] = asyncio.Queue()

    async def requests() -> AsyncIterator[int]:
        while True:
            yield await asked.get()

    async def answer(number: int) -> int:
        return number * 2

    stream = in_order(requests(), answer, 8)
    for number in range(3):
        await asked.put(number)
        async with asyncio.timeout(10):
            assert await anext(stream) == number * 2
    await stream.aclose()


async def test_no_more_are_on_their_way_than_allowed() -> None:
    running = most = 0

    async def answer(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return number

    assert len([each async for each in in_order(counted(50), answer, 3)]) == 50
    # One is being answered to the caller, three wait in line, one waits to join.
    assert most <= 5


async def test_a_failure_ends_the_stream_and_leaves_no_task() -> None:
    async def answer(number: int) -> int:
        if number == 1:
            raise ValueError("no")
        await asyncio.sleep(0)
        return number

    before = len(asyncio.all_tasks())
    with pytest.raises(ValueError, match="no"):
        async for _ in in_order(counted(10), answer, 4):
            pass
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before
