"""The inference endpoints: a fixed list and a watched file; one channel each, closed when it leaves."""

import asyncio
import json
import logging
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from weirworks_rpc import open_channel

from weirworks_router.core.breaker import Breaker
from weirworks_router.core.choice import EndpointView, choose

log = logging.getLogger(__name__)
_POLL = 0.2


@dataclass(slots=True)
class Endpoint:
    """One inference server."""

    address: str
    channel: grpc.aio.Channel
    in_flight: int = 0
    breaker: Breaker = field(default_factory=Breaker)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Counts a call while it runs."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def view(self) -> EndpointView:
        """The endpoint as the choice sees it."""
        return EndpointView(self.address, self.in_flight, self.breaker.rests(time.monotonic()))


class Fleet:
    """All endpoints that may get work now."""

    def __init__(self, fixed: Sequence[str], file: Path | None) -> None:
        self._fixed = list(fixed)
        self._file = file
        self._seen: tuple[int, int] | None = None
        self._endpoints: dict[str, Endpoint] = {}
        self._leaving: list[Endpoint] = []

    def start(self) -> None:
        """Opens the channels; needs a running loop."""
        self._set(self._fixed)
        self._read()

    def endpoints(self) -> list[Endpoint]:
        """By address."""
        return [self._endpoints[address] for address in sorted(self._endpoints)]

    def pick(self, excluded: set[str]) -> Endpoint | None:
        """The endpoint for a call, other than those that were tried."""
        views = [each.view() for each in self._endpoints.values() if each.address not in excluded]
        chosen = choose(views, random.random())  # noqa: S311  (balances load, guards nothing)
        return self._endpoints[chosen.address] if chosen else None

    async def watch(self) -> None:
        """Follows the file, and closes channels of endpoints that left once their calls are through."""
        while True:
            await asyncio.sleep(_POLL)
            self._read()
            for endpoint in [each for each in self._leaving if each.in_flight == 0]:
                self._leaving.remove(endpoint)
                await endpoint.channel.close()

    async def close(self) -> None:
        """Closes every channel."""
        for endpoint in [*self._endpoints.values(), *self._leaving]:
            await endpoint.channel.close()

    def _read(self) -> None:
        if self._file is None:
            return
        try:
            stat = self._file.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
            if stamp == self._seen:
                return
            addresses = json.loads(self._file.read_text("utf-8"))["endpoints"]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError):
            log.warning("endpoints file cannot be read", extra={"file": self._file.name})
            return
        self._seen = stamp
        self._set([*self._fixed, *addresses])

    def _set(self, addresses: Sequence[str]) -> None:
        for address in [known for known in self._endpoints if known not in addresses]:
            self._leaving.append(self._endpoints.pop(address))
        for address in addresses:
            if address not in self._endpoints:
                self._endpoints[address] = Endpoint(address, open_channel(address))
        log.info("fleet", extra={"endpoints": sorted(self._endpoints)})
