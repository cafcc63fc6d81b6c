import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from weirworks_inference.core.types import Signature, State
from weirworks_inference.errors import ModelBroken
from weirworks_inference.instruments import Instruments
from weirworks_inference.repository import Repository
from weirworks_inference.runtime.protocol import LoadFailed, Session
from weirworks_inference.worker import Worker
from weirworks_testkit.tiny_models import write_identity


class Loading:
    """A runtime whose loads wait for the test."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.loads = 0
        self.broken = False

    def load(self, _path: Path) -> Session:
        self.loads += 1
        assert self.gate.wait(10)
        if self.broken:
            raise LoadFailed("it is broken")
        return Loaded()


class Loaded:
    signature = Signature((), ())

    def run(self, _inputs: object, _outputs: object) -> list[object]:
        return []


@pytest.fixture
def runtime() -> Loading:
    return Loading()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def repository(tmp_path: Path, runtime: Loading, registry: CollectorRegistry) -> AsyncIterator[Repository]:
    write_identity(tmp_path)
    worker = Worker(10, 1.0)
    serving = asyncio.create_task(worker.serve())
    yield Repository(tmp_path, runtime, worker, Instruments(registry))
    serving.cancel()
    worker.close()


async def test_a_load_goes_on_when_its_first_caller_gives_up(
    repository: Repository, runtime: Loading, registry: CollectorRegistry
) -> None:
    model = repository.find("identity", "")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await repository.load(model)
    assert model.state is State.LOADING
    runtime.gate.set()
    assert await repository.load(model) is model.loaded
    assert runtime.loads == 1
    counted = {"model": "identity", "outcome": "loaded"}
    assert registry.get_sample_value("weirworks_inference_loads_total", counted) == 1


async def test_a_failed_load_is_told_to_all_and_not_tried_at_once(repository: Repository, runtime: Loading) -> None:
    runtime.broken = True
    runtime.gate.set()
    model = repository.find("identity", "")
    outcomes = await asyncio.gather(*(repository.load(model) for _ in range(3)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ModelBroken}
    with pytest.raises(ModelBroken, match="it is broken"):
        await repository.load(model)
    assert runtime.loads == 1
    assert not model.ready
