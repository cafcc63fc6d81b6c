"""As many inference processes as `desired` says; those that are ready are listed for the router."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from weirworks_cli.suite.child import Child, ChildFailed, Spec

_POLL = 0.1
# The router reads the list five times a second; a replica leaves it before it is told to end.
_NOTICE = 0.6


class Replicas:
    """The local counterpart of a Deployment's ReplicaSet."""

    def __init__(self, folder: Path, make: Callable[[int], Spec], say: Callable[[str], None]) -> None:
        self._folder = folder
        self._make = make
        self._say = say
        self._children: dict[int, Child] = {}
        self._leaving: set[int] = set()
        self._next = 1
        self._stopping = asyncio.Event()
        self._news = asyncio.Event()

    def prepare(self, count: int) -> None:
        """Writes the first size."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "desired").write_text(str(count))
        self._write()

    @property
    def children(self) -> list[Child]:
        """Those that stay, oldest first."""
        return [child for number, child in sorted(self._children.items()) if number not in self._leaving]

    @property
    def ready(self) -> list[Child]:
        """Those that can answer."""
        return [child for child in self.children if child.is_ready]

    async def run(self) -> None:
        """Starts and drains processes until `stop`; then drains all of them."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping.is_set():
                self._adjust(group)
                await asyncio.sleep(_POLL)
            for number in list(self._children):
                if number not in self._leaving:
                    group.create_task(self._drain(number))

    async def wait_ready(self) -> None:
        """Returns once all that are wanted now are ready. Raises ChildFailed."""
        try:
            async with asyncio.timeout(90):
                while len(self.ready) < max(1, self._desired()):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise ChildFailed("inference did not become ready; see its log") from None

    def stop(self) -> None:
        """Ends `run`."""
        self._stopping.set()

    def _adjust(self, group: asyncio.TaskGroup) -> None:
        wanted, staying = self._desired(), len(self.children)
        for _ in range(wanted - staying):
            number, self._next = self._next, self._next + 1
            child = self._children[number] = Child(self._make(number), self._say)
            group.create_task(child.run(self._changed))
        # The youngest goes first: the oldest have the most models in memory.
        for number in sorted(self._children, reverse=True):
            if len(self.children) > wanted and number not in self._leaving:
                group.create_task(self._drain(number))
                self._leaving.add(number)

    async def _drain(self, number: int) -> None:
        self._leaving.add(number)
        self._write()
        await asyncio.sleep(_NOTICE)
        await self._children[number].stop()
        del self._children[number]
        self._leaving.discard(number)

    async def _changed(self) -> None:
        self._write()
        self._news.set()

    def _desired(self) -> int:
        try:
            return max(0, int((self._folder / "desired").read_text()))
        except (OSError, ValueError):
            return len(self.children)

    def _write(self) -> None:
        fresh = self._folder / "endpoints.json.new"
        fresh.write_text(json.dumps({"endpoints": [child.address for child in self.ready]}))
        fresh.rename(self._folder / "endpoints.json")
