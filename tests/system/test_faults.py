"""kill -9 of any one service: the others answer, it comes back, no event is lost and none is doubled."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from weirworks.telemetry.v1.telemetry_service_pb2 import ListEventsRequest
from weirworks.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceStub
from weirworks_client import WeirClient, WeirError
from weirworks_rpc import open_channel
from weirworks_testkit.pictures import picture
from weirworks_testkit.running import until

from tests.conftest import Up, weir_up

# What a client may see while something is away: told clearly, never INTERNAL or UNKNOWN.
_CLEAR = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}


def pid_of(up: Up, words: str) -> int:
    """The process under the supervisor whose command holds these words; 0 while there is none."""
    for child in psutil.Process(up.process.pid).children():
        try:
            if words in " ".join(child.cmdline()):
                return child.pid
        # Killed a moment ago: a zombie, or gone.
        except psutil.Error:
            continue
    return 0


class Caller:
    """Sends pictures that no cache knows, one after the other, and keeps what came of them."""

    def __init__(self, weir: WeirClient, seed: int) -> None:
        self.weir = weir
        self.ids: list[str] = []
        self.errors: list[WeirError] = []
        self._number = seed

    async def send(self) -> bool:
        """True when it was answered."""
        self._number += 1
        image = picture((self._number % 256, self._number // 256 % 256, 7))
        try:
            answer = await self.weir.classify_image(image, skip_cache=self._number % 2 == 0)
        except WeirError as error:
            self.errors.append(error)
            return False
        self.ids.append(answer.decision_id)
        return True

    async def run(self, until_done: asyncio.Event) -> None:
        """Sends until the event is set."""
        while not until_done.is_set():
            await self.send()


@pytest.fixture
async def caller(up: Up) -> AsyncIterator[Caller]:
    async with WeirClient(up.context.address("router"), timeout=timedelta(seconds=5)) as weir:
        yield Caller(weir, time.time_ns() % 60_000)


async def recorded(up: Up, since: datetime) -> list[str]:
    """The ids of the decisions that telemetry has."""
    ids: list[str] = []
    token = ""
    async with open_channel(up.context.address("telemetry")) as channel:
        stub = TelemetryServiceStub(channel)
        while True:
            request = ListEventsRequest(page_size=10_000, page_token=token)
            request.start_time.FromDatetime(since)
            page = await stub.ListEvents(request, timeout=20, wait_for_ready=True)
            ids += [event.id for event in page.events]
            token = page.next_page_token
            if not token:
                return ids


@pytest.mark.parametrize("service", ["telemetry", "cache", "autoscaler", "inference", "router"])
async def test_a_killed_service_comes_back_and_no_event_is_lost_or_doubled(
    up: Up, caller: Caller, service: str
) -> None:
    since = datetime.now(UTC)
    for _ in range(5):
        await caller.send()
    before = pid_of(up, f"weirworks_{service}.main")
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(caller.run(done))
        os.kill(before, signal.SIGKILL)
        await until(lambda: pid_of(up, f"weirworks_{service}.main") not in (0, before), patience=30)
        answered = len(caller.ids)
        await until(lambda: len(caller.ids) >= answered + 10, patience=30)
        done.set()
    assert {error.code.name for error in caller.errors} <= _CLEAR
    if service not in ("inference", "router"):
        assert not caller.errors, [error.message for error in caller.errors]

    async def all_there() -> bool:
        return set(caller.ids) <= set(await recorded(up, since))

    await until(all_there, patience=30)
    ids = await recorded(up, since)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("service", ["telemetry", "cache", "autoscaler"])
async def test_a_service_that_hangs_keeps_nobody_from_an_answer(up: Up, caller: Caller, service: str) -> None:
    stopped = pid_of(up, f"weirworks_{service}.main")
    os.kill(stopped, signal.SIGSTOP)
    try:
        for _ in range(5):
            assert await caller.send()
    finally:
        os.kill(stopped, signal.SIGCONT)


def test_a_killed_supervisor_leaves_no_process(tmp_path: Path, models: Path) -> None:
    with pytest.raises(AssertionError), weir_up(tmp_path, "killed") as up:
        family = psutil.Process(up.process.pid).children(recursive=True)
        assert len(family) >= 7
        up.process.kill()
    gone, alive = psutil.wait_procs(family, timeout=40)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE], gone


@pytest.mark.parametrize("engine", ["valkey-server", "bin/postgres"])
async def test_an_engine_that_is_killed_comes_back(up: Up, caller: Caller, engine: str) -> None:
    before = pid_of(up, engine)
    os.kill(before, signal.SIGKILL)
    await until(lambda: pid_of(up, engine) not in (0, before), patience=30)
    assert await caller.send()
    await until(lambda: up.weir("check", check=False).returncode == 0, patience=30)
