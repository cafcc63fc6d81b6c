"""Answers the requests of a stream side by side, in the order in which they came."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


async def in_order(requests: AsyncIterator[Q], answer: Callable[[Q], Awaitable[A]], at_once: int) -> AsyncIterator[A]:
    """One answer for each request as soon as it and those before it are there; at most `at_once` are on their way.

    What a request or `answer` raises ends the stream; what is on its way then is cancelled.
    """
    line: asyncio.Queue[asyncio.Task[A] | None] = asyncio.Queue(at_once)
    loop = asyncio.get_running_loop()

    async def work(request: Q) -> A:
        return await answer(request)

    async def read() -> None:
        try:
            async for request in requests:
                await line.put(loop.create_task(work(request)))
        finally:
            await line.put(None)

    reader = loop.create_task(read())
    try:
        while (task := await line.get()) is not None:
            yield await task
        await reader
    finally:
        reader.cancel()
        while not line.empty():
            left = line.get_nowait()
            if left is not None:
                left.cancel()
