import asyncio
import shutil
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from weirworks_inference.core.residency import Reason, Size
from weirworks_inference.core.types import Signature, State, TensorSpec
from weirworks_inference.core.versions import Registered, Status
from weirworks_inference.errors import MemoryFull, ModelBroken, ModelLoading, ModelNotFound, ModelWithdrawn
from weirworks_inference.instruments import Instruments
from weirworks_inference.loader import Loader, digest_of
from weirworks_inference.model import Model
from weirworks_inference.repository import Repository
from weirworks_inference.residents import Residents, Rules, find
from weirworks_inference.runtime.protocol import LoadFailed, Placement, Session, Source
from weirworks_inference.shelf import Shelf
from weirworks_testkit.running import until
from weirworks_testkit.tiny_models import write_identity

PATIENCE = timedelta(seconds=10)
SIZE = 1_000_000


class Loading:
    """A runtime whose loads wait for the test."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.loads: list[Path] = []
        self.broken: set[str] = set()

    def load(self, source: Source) -> Session:
        self.loads.append(source.folder)
        assert self.gate.wait(10)
        if source.folder.name in self.broken:
            raise LoadFailed("it is broken")
        return Quiet()


class Quiet:
    signature = Signature((TensorSpec("x", "FP32", ("rows",)),), (TensorSpec("y", "FP32", ("rows",)),))
    placement = Placement(("cpu",))

    def run(self, _inputs: object, _outputs: object) -> list[object]:
        return []


class House:
    """Residents over a folder of models of 1 MB each, with a budget."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runtime = Loading()
        self.runtime.gate.set()
        self.metrics = CollectorRegistry()
        self.registered: dict[str, Mapping[str, Registered]] = {}
        self.charged = 0.0

    def write(self, name: str, version: str = "1", filler: int = 0) -> None:
        write_identity(self.folder, name, version)
        with (self.folder / name / version / "model.onnx").open("ab") as file:
            file.write(bytes([filler]) * SIZE)

    def open(self, budget: int = 1 << 40, idle: float = 600) -> Residents:
        def charge(seconds: float) -> None:
            self.charged += seconds

        shelf = Shelf(Repository(self.folder), lambda name: self.registered.get(name, {}))
        loader = Loader(lambda: self.runtime, self.runtime)  # type: ignore[arg-type]
        return Residents(
            shelf,
            loader,
            Rules(Size(budget, 1 << 40), idle),
            Instruments(self.metrics),
            lambda name: self.registered.get(name, {}),
            charge,
        )


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


def opened(house: House, stack: AsyncExitStack, **rules: int) -> Residents:
    residents = house.open(**rules)
    stack.callback(residents.close)
    return residents


def resident(residents: Residents) -> list[str]:
    return [f"{model.name}/{model.version}" for model in residents.shelf.models() if model.loaded is not None]


async def loaded(residents: Residents, name: str, version: str = "") -> Model:
    model = find(residents.shelf, name, version)
    await residents.load(model, PATIENCE)
    return model


async def test_a_load_goes_on_when_its_first_caller_gives_up(house: House, stack: AsyncExitStack) -> None:
    house.write("a")
    residents = opened(house, stack)
    house.runtime.gate.clear()
    model = find(residents.shelf, "a", "")
    with pytest.raises(ModelLoading) as caught:
        await residents.load(model, timedelta(milliseconds=50))
    assert caught.value.retry_after
    assert model.state is State.LOADING
    assert model.ready
    house.runtime.gate.set()
    assert await residents.load(model, PATIENCE) is model.loaded
    assert len(house.runtime.loads) == 1
    counted = {"model": "a", "outcome": "loaded"}
    assert house.metrics.get_sample_value("weirworks_inference_loads_total", counted) == 1


async def test_a_failed_load_is_told_to_all_and_tried_again_after_a_while(house: House, stack: AsyncExitStack) -> None:
    house.write("a")
    house.runtime.broken = {"1"}
    residents = opened(house, stack)
    model = find(residents.shelf, "a", "")
    outcomes = await asyncio.gather(*(residents.load(model, PATIENCE) for _ in range(3)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ModelBroken}
    with pytest.raises(ModelBroken, match="it is broken"):
        await residents.load(model, PATIENCE)
    assert len(house.runtime.loads) == 1
    assert not model.ready
    house.runtime.broken = set()
    model.failed_at -= 11
    await residents.load(model, PATIENCE)
    assert model.ready


async def test_the_wait_after_failures_doubles_and_a_new_file_ends_it(house: House, stack: AsyncExitStack) -> None:
    house.write("a")
    house.runtime.broken = {"1"}
    residents = opened(house, stack)
    model = find(residents.shelf, "a", "")
    waits = []
    for _ in range(3):
        with pytest.raises(ModelBroken) as caught:
            await residents.load(model, PATIENCE)
        assert caught.value.retry_after is not None
        waits.append(round(caught.value.retry_after.total_seconds()))
        model.failed_at -= 1000
    assert waits == [10, 20, 40]
    house.runtime.broken = set()
    model.failed_at = time.monotonic()
    house.write("a", filler=1)
    for _ in range(2):
        residents.look()
    await residents.load(model, PATIENCE)


async def test_the_least_recently_used_model_makes_room(house: House, stack: AsyncExitStack) -> None:
    for name in ("a", "b", "c"):
        house.write(name)
    residents = opened(house, stack, budget=5 * SIZE // 2)
    await loaded(residents, "a")
    await loaded(residents, "b")
    with find(residents.shelf, "a", "").in_use():
        pass
    await loaded(residents, "c")
    assert resident(residents) == ["a/1", "c/1"]
    assert find(residents.shelf, "b", "").unload_reason == Reason.LEAST_RECENTLY_USED


async def test_pinned_and_busy_models_stay_and_the_newcomer_is_refused(house: House, stack: AsyncExitStack) -> None:
    for name in ("a", "b", "c"):
        house.write(name)
    residents = opened(house, stack, budget=5 * SIZE // 2)
    (await loaded(residents, "a")).pinned = True
    with (await loaded(residents, "b")).in_use():
        with pytest.raises(MemoryFull) as caught:
            await loaded(residents, "c")
        assert caught.value.metadata["why"] == "OthersBusyOrPinned"
        assert find(residents.shelf, "c", "").ready
    await loaded(residents, "c")
    assert resident(residents) == ["a/1", "c/1"]


async def test_a_model_larger_than_the_budget_evicts_nobody(house: House, stack: AsyncExitStack) -> None:
    house.write("a")
    house.write("b")
    with (house.folder / "b" / "1" / "model.onnx").open("ab") as file:
        file.write(b"\0" * 5 * SIZE)
    residents = opened(house, stack, budget=5 * SIZE // 2)
    await loaded(residents, "a")
    with pytest.raises(MemoryFull, match="LargerThanBudget"):
        await loaded(residents, "b")
    assert resident(residents) == ["a/1"]


async def test_idle_models_are_unloaded(house: House, stack: AsyncExitStack) -> None:
    house.write("a")
    house.write("b")
    residents = opened(house, stack, idle=600)
    (await loaded(residents, "a")).last_use -= 601
    await loaded(residents, "b")
    assert [each.key for each in await residents.sweep(time.monotonic())] == [("a", "1")]
    assert resident(residents) == ["b/1"]
    await loaded(residents, "a")
    assert find(residents.shelf, "a", "").loads == 2


async def test_a_new_version_takes_over_once_it_is_loaded(house: House, stack: AsyncExitStack) -> None:
    house.write("a")
    residents = opened(house, stack)
    await loaded(residents, "a")
    house.runtime.gate.clear()
    house.write("a", "2")
    residents.look()
    await until(lambda: len(house.runtime.loads) == 2)
    assert find(residents.shelf, "a", "").version == "1"
    assert find(residents.shelf, "a", "").loaded is not None
    house.runtime.gate.set()
    await until(lambda: resident(residents) == ["a/2"])
    assert find(residents.shelf, "a", "").version == "2"
    assert find(residents.shelf, "a", "1").unload_reason == Reason.REPLACED
    shutil.rmtree(house.folder / "a" / "2")
    residents.look()
    assert (await loaded(residents, "a")).version == "1"


async def test_a_new_version_that_does_not_load_leaves_the_old_one_answering(
    house: House, stack: AsyncExitStack
) -> None:
    house.write("a")
    residents = opened(house, stack)
    await loaded(residents, "a")
    house.runtime.broken = {"2"}
    house.write("a", "2")
    residents.look()
    await until(lambda: find(residents.shelf, "a", "2").state is State.FAILED)
    assert find(residents.shelf, "a", "").version == "1"
    for _ in range(3):
        residents.look()
    assert len(house.runtime.loads) == 2


async def test_files_that_change_in_place_are_read_anew_and_broken_ones_left(
    house: House, stack: AsyncExitStack
) -> None:
    house.write("a")
    residents = opened(house, stack)
    model = await loaded(residents, "a")
    before = model.loaded
    house.write("a", filler=7)
    residents.look()
    assert len(house.runtime.loads) == 1
    residents.look()
    await until(lambda: model.loads == 2)
    assert model.loaded is not before
    kept = model.loaded
    house.runtime.broken = {"1"}
    house.write("a", filler=8)
    for _ in range(2):
        residents.look()
    await until(lambda: model.failures == 1)
    assert model.loaded is kept
    assert model.ready


async def test_a_withdrawn_model_answers_only_after_an_operator_loads_it(house: House, stack: AsyncExitStack) -> None:
    house.write("a")
    residents = opened(house, stack)
    model = await loaded(residents, "a")
    await residents.unload(model, Reason.OPERATOR, withdraw=True)
    assert not model.ready
    with pytest.raises(ModelWithdrawn):
        await residents.load(model, PATIENCE)
    await residents.load_now(model)
    assert model.ready


async def test_the_registry_says_which_version_answers(house: House, stack: AsyncExitStack) -> None:
    for version in ("1", "2", "3"):
        house.write("a", version)
    graph = house.folder / "a" / "1" / "model.onnx"
    house.registered["a"] = {
        "1": Registered("1", Status.ACTIVE, digest_of(graph), promotion=2),
        "2": Registered("2", Status.TESTING, digest_of(graph)),
    }
    residents = opened(house, stack)
    assert (await loaded(residents, "a")).version == "1"
    assert (await loaded(residents, "a", "2")).version == "2"


async def test_a_file_that_is_not_the_registered_one_is_refused(house: House, stack: AsyncExitStack) -> None:
    house.write("a")
    house.registered["a"] = {"1": Registered("1", Status.ACTIVE, "0" * 64, promotion=1)}
    residents = opened(house, stack)
    with pytest.raises(ModelBroken, match="not the file that was registered"):
        await loaded(residents, "a")


async def test_a_load_is_charged_to_the_share(house: House, stack: AsyncExitStack) -> None:
    house.write("a")
    residents = opened(house, stack)
    await loaded(residents, "a")
    assert house.charged > 0


async def test_all_can_be_unloaded(house: House, stack: AsyncExitStack) -> None:
    for name in ("a", "b"):
        house.write(name)
    residents = opened(house, stack)
    (await loaded(residents, "a")).pinned = True
    await loaded(residents, "b")
    assert len(await residents.unload_all(Reason.OPERATOR)) == 2
    assert resident(residents) == []
    assert residents.used == Size(0)


def test_what_is_not_there_is_not_found(house: House) -> None:
    residents = house.open()
    with pytest.raises(ModelNotFound):
        find(residents.shelf, "a", "")
    residents.close()
