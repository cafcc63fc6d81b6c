"""A service's own app on port 0 for the length of an `async with`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from weirworks_rpc import Server


class App(Protocol):
    """What every service's `app.py` builds."""

    server: Server

    async def start(self, stack: AsyncExitStack) -> None: ...

    async def serve(self) -> None: ...

    def stop(self) -> None: ...


@asynccontextmanager
async def running(app: App) -> AsyncIterator[str]:
    """Yields the address."""
    async with AsyncExitStack() as stack:
        await app.start(stack)
        await app.server.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(app.serve())
            await app.server.set_serving(True)
            try:
                yield app.server.address
            finally:
                await app.server.drain()
                app.stop()


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    """A bare server; yields the address."""
    await server.start()
    await server.set_serving(True)
    try:
        yield server.address
    finally:
        await server.drain()


async def until(claim: Callable[[], bool | Awaitable[bool]], patience: float = 20.0) -> None:
    """Returns once `claim()` is true; fails when that takes longer than `patience` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while True:
        outcome = claim()
        if outcome if isinstance(outcome, bool) else await outcome:
            return
        assert loop.time() < deadline, "what was waited for did not come"
        await asyncio.sleep(0.02)
