"""Ends this process when the one that started the suite is gone, however it went.

The supervisor keeps the write end of a pipe; its descendants inherit the read end and its number in
`WEIRWORKS_LIFELINE`. When the supervisor dies, even by SIGKILL, the pipe reads as closed.
"""

import asyncio
import os
from collections.abc import Callable

VARIABLE = "WEIRWORKS_LIFELINE"


def watch_lifeline(stop: Callable[[], None]) -> None:
    """Calls `stop` once the supervisor is gone; does nothing where there is none."""
    number = os.environ.get(VARIABLE)
    if number is None:
        return
    descriptor = int(number)
    loop = asyncio.get_running_loop()

    def closed() -> None:
        loop.remove_reader(descriptor)
        stop()

    loop.add_reader(descriptor, closed)
