"""The life of models through their calls: load, pin, unload, health, and the registry."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from weirworks.inference.v1 import model_pb2, model_service_pb2
from weirworks.inference.v1 import registry_service_pb2 as registry_pb
from weirworks_engines import Engines
from weirworks_inference.app import InferenceApp
from weirworks_inference.preloading import Preloading
from weirworks_inference.settings import InferenceSettings
from weirworks_rpc.oip import messages
from weirworks_testkit.calls import ask, call_bytes, refusal, tensor_request
from weirworks_testkit.running import running, until
from weirworks_testkit.tiny_models import write_identity, write_repository

OIP = "/inference.GRPCInferenceService"
MODELS = "/weirworks.inference.v1.ModelService"
REGISTRY = "/weirworks.inference.v1.RegistryService"
MIB = 1 << 20


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return write_repository(tmp_path / "models")


@pytest.fixture
async def address(repository: Path, settings_of: Callable[..., InferenceSettings]) -> AsyncIterator[str]:
    async with running(InferenceApp(settings_of(repository), CollectorRegistry())) as where:
        yield where


async def load(address: str, name: str, **fields: Any) -> model_pb2.Model:
    request = model_service_pb2.LoadModelRequest(name=name, **fields)
    return (await ask(address, f"{MODELS}/LoadModel", request, model_service_pb2.LoadModelResponse)).model


async def get(address: str, name: str) -> model_pb2.Model:
    request = model_service_pb2.GetModelRequest(name=name)
    return (await ask(address, f"{MODELS}/GetModel", request, model_service_pb2.GetModelResponse)).model


async def unload(address: str, name: str, **fields: Any) -> model_service_pb2.UnloadModelResponse:
    request = model_service_pb2.UnloadModelRequest(name=name, **fields)
    return await ask(address, f"{MODELS}/UnloadModel", request, model_service_pb2.UnloadModelResponse)


async def infer(address: str, model: str = "identity", version: str = "") -> messages.ModelInferResponse:
    request = tensor_request(model, x=np.ones((1, 2), np.float32))
    request.model_version = version
    return await ask(address, f"{OIP}/ModelInfer", request, messages.ModelInferResponse)


async def test_a_model_is_loaded_pinned_unloaded_and_comes_back_on_demand(address: str) -> None:
    loaded = await load(address, "models/identity", pin=True)
    assert (loaded.state, loaded.pinned, list(loaded.providers)) == (model_pb2.MODEL_STATE_READY, True, ["cpu"])
    gone = await unload(address, "models/identity")
    assert gone.freed_bytes > 0
    assert (gone.models[0].state, gone.models[0].reason) == (model_pb2.MODEL_STATE_LOADABLE, "Operator")
    await infer(address)
    assert (await get(address, "models/identity")).load_count == 2


async def test_all_models_are_unloaded_at_once(address: str) -> None:
    for name in ("models/identity", "models/adder"):
        await load(address, name)
    assert len((await unload(address, "models/-")).models) == 2


async def test_a_withdrawn_model_refuses_calls(address: str) -> None:
    await unload(address, "models/identity", withdraw=True)
    error = await refusal(address, f"{OIP}/ModelInfer", tensor_request("identity").SerializeToString())
    assert error.reason_word == "MODEL_WITHDRAWN"
    await load(address, "models/identity")
    await infer(address)


async def test_a_reload_is_not_noticed_by_callers(address: str) -> None:
    await load(address, "models/identity")
    assert (await load(address, "models/identity", reload=True)).load_count == 2
    await infer(address)


async def health(address: str, service: str) -> str:
    wire = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    try:
        answer = await call_bytes(address, "/grpc.health.v1.Health/Check", wire)
    except Exception as error:
        return str(getattr(getattr(error, "code", None), "name", error))
    return health_pb2.HealthCheckResponse.ServingStatus.Name(health_pb2.HealthCheckResponse.FromString(answer).status)


async def test_every_model_has_a_health_of_its_own(address: str) -> None:
    assert await health(address, "models/identity") == "SERVING"
    assert await health(address, "models/nothing") == "NOT_FOUND"
    await refusal(address, f"{OIP}/ModelInfer", tensor_request("broken").SerializeToString())

    async def broken() -> bool:
        return await health(address, "models/broken") == "NOT_SERVING"

    await until(broken)
    assert await health(address, "") == "SERVING"
    report = await ask(
        address,
        f"{MODELS}/GetHealthReport",
        model_service_pb2.GetHealthReportRequest(),
        model_service_pb2.GetHealthReportResponse,
    )
    assert report.serving
    assert report.models["FAILED"] == 1
    assert [model.name for model in report.failed] == ["models/broken/versions/1"]
    assert "not a model" in report.failed[0].failure
    assert report.resident_bytes > 10 * MIB
    assert report.registry == "none"


async def test_a_model_that_must_be_there_and_does_not_load_leaves_the_service_up(
    repository: Path, settings_of: Callable[..., InferenceSettings]
) -> None:
    app = InferenceApp(settings_of(repository, preload=["broken", "missing", "identity"]), CollectorRegistry())
    async with running(app) as where:
        assert (await get(where, "models/identity")).load_count == 1
        assert (await get(where, "models/broken")).state == model_pb2.MODEL_STATE_FAILED


async def test_models_are_loaded_ahead_of_their_hour(
    repository: Path, settings_of: Callable[..., InferenceSettings], tmp_path: Path
) -> None:
    app = InferenceApp(settings_of(repository), CollectorRegistry())
    now = datetime(2026, 11, 23, 9, 1, tzinfo=UTC)
    usage = tmp_path / "usage.json"

    def preloading() -> Preloading:
        return Preloading(app._residents, app._instruments, usage, 4, lambda: now)

    ahead = preloading()
    async with running(app) as where:
        for _ in range(3):
            await infer(where)
            app._engine.ledger.settle()
            now += timedelta(hours=1)
            await ahead.turn()
            now += timedelta(hours=23)
            await ahead.turn()
        await unload(where, "models/identity")
        # What was learned outlives a restart.
        ahead = preloading()
        now = now.replace(hour=8, minute=56)
        ahead._hour = now.replace(minute=0)
        (planned,) = await ahead.turn()
        assert planned.model == "identity"
        model = await get(where, "models/identity")
        assert (model.state, model.reason) == (model_pb2.MODEL_STATE_READY, "UsedAtThisHour")
        assert await ahead.turn() == ()
        now = now.replace(hour=9, minute=0)
        await ahead.turn()
        await infer(where)
        app._engine.ledger.settle()
        now = now.replace(hour=10)
        await ahead.turn()
        assert (ahead.score.ahead, ahead.score.useful) == (1, 1)


@pytest.fixture
async def registered(
    repository: Path, settings_of: Callable[..., InferenceSettings], engines: Engines, request: pytest.FixtureRequest
) -> AsyncIterator[str]:
    for version in ("2", "3"):
        write_identity(repository, "identity", version)
    settings = settings_of(
        repository,
        postgres_url=SecretStr(engines.postgres_url),
        registry_interval=timedelta(milliseconds=50),
        rescan=timedelta(milliseconds=50),
    )
    async with running(InferenceApp(settings, CollectorRegistry())) as where:
        yield where


async def change(address: str, method: str, request: Any, answer: type[Any]) -> registry_pb.Version:
    return (await ask(address, f"{REGISTRY}/{method}", request, answer)).version


async def test_versions_are_registered_promoted_and_rolled_back(registered: str, repository: Path) -> None:
    name = "models/identity/versions/{}"
    for version in ("1", "2", "3"):
        row = await change(
            registered,
            "RegisterVersion",
            registry_pb.RegisterVersionRequest(name=name.format(version), domain="echo", accuracy=0.5, actor="ada"),
            registry_pb.RegisterVersionResponse,
        )
    assert list(row.inputs) == ["x FP32 [rows, width]"]
    assert (row.status, row.domain, row.accuracy) == ("inactive", "echo", 0.5)

    async def promote(version: str) -> registry_pb.Version:
        request = registry_pb.PromoteVersionRequest(name=name.format(version), actor="ada")
        return await change(registered, "PromoteVersion", request, registry_pb.PromoteVersionResponse)

    async def roll_back() -> registry_pb.Version:
        request = registry_pb.RollbackModelRequest(model="models/identity", actor="bob")
        return await change(registered, "RollbackModel", request, registry_pb.RollbackModelResponse)

    async def answers(version: str) -> None:
        async def now() -> bool:
            return (await infer(registered)).model_version == version

        await until(now)

    assert (await promote("1")).status == "active"
    await answers("1")
    await promote("2")
    await answers("2")
    await promote("3")
    await answers("3")
    assert (await roll_back()).name == name.format("2")
    await answers("2")
    assert (await roll_back()).name == name.format("1")
    await answers("1")
    request = registry_pb.RollbackModelRequest(model="models/identity")
    error = await refusal(registered, f"{REGISTRY}/RollbackModel", request.SerializeToString())
    assert error.reason_word == "REGISTRY_CONFLICT"
    listed = await ask(
        registered, f"{REGISTRY}/ListVersions", registry_pb.ListVersionsRequest(), registry_pb.ListVersionsResponse
    )
    assert [row.status for row in listed.versions] == ["active", "inactive", "inactive"]
    changes = (
        await ask(
            registered,
            f"{REGISTRY}/ListChanges",
            registry_pb.ListChangesRequest(model="models/identity"),
            registry_pb.ListChangesResponse,
        )
    ).changes
    assert (changes[0].action, changes[0].actor) == ("rollback", "bob")
    assert [change.action for change in changes].count("register") == 3


async def test_a_registered_file_may_not_change(registered: str, repository: Path) -> None:
    write_identity(repository, "guarded")
    request = registry_pb.RegisterVersionRequest(name="models/guarded/versions/1")
    row = await change(registered, "RegisterVersion", request, registry_pb.RegisterVersionResponse)
    again = await change(registered, "RegisterVersion", request, registry_pb.RegisterVersionResponse)
    assert row.digest == again.digest
    await unload(registered, "models/guarded")
    with (repository / "guarded" / "1" / "model.onnx").open("ab") as file:
        file.write(b"\0\0")
    error = await refusal(registered, f"{MODELS}/LoadModel", b"\n\x0emodels/guarded")
    assert error.reason_word == "MODEL_BROKEN"
    assert "not the file that was registered" in error.message


@pytest.mark.parametrize(
    ("method", "request_", "reason"),
    [
        pytest.param(
            "RegisterVersion", registry_pb.RegisterVersionRequest(name="models/adder"), "INVALID_FIELD", id="no version"
        ),
        pytest.param(
            "RegisterVersion",
            registry_pb.RegisterVersionRequest(name="models/adder/versions/1", status="active"),
            "INVALID_FIELD",
            id="active at once",
        ),
        pytest.param(
            "RegisterVersion",
            registry_pb.RegisterVersionRequest(name="models/none/versions/1"),
            "MODEL_NOT_FOUND",
            id="unknown model",
        ),
        pytest.param(
            "PromoteVersion",
            registry_pb.PromoteVersionRequest(name="models/adder/versions/1"),
            "NOT_FOUND",
            id="not registered",
        ),
        pytest.param(
            "UpdateVersion",
            registry_pb.UpdateVersionRequest(name="models/adder/versions/1", accuracy=2),
            "INVALID_FIELD",
            id="accuracy above one",
        ),
    ],
)
async def test_bad_changes_of_the_registry_are_refused(
    registered: str, method: str, request_: Any, reason: str
) -> None:
    error = await refusal(registered, f"{REGISTRY}/{method}", request_.SerializeToString())
    assert error.reason_word == reason


async def test_without_a_database_there_is_no_registry_and_one_that_is_away_stops_nothing(
    address: str, repository: Path, settings_of: Callable[..., InferenceSettings]
) -> None:
    error = await refusal(address, f"{REGISTRY}/ListVersions", b"")
    assert error.code is grpc.StatusCode.UNIMPLEMENTED
    away = settings_of(repository, postgres_url=SecretStr("postgresql://127.0.0.1:1/none?connect_timeout=1"))
    async with running(InferenceApp(away, CollectorRegistry())) as where:
        await infer(where)
        assert (await refusal(where, f"{REGISTRY}/ListVersions", b"")).reason_word == "STORE_UNAVAILABLE"


async def test_versions_change_under_traffic_without_a_failed_request(
    repository: Path, settings_of: Callable[..., InferenceSettings]
) -> None:
    settings = settings_of(repository, rescan=timedelta(milliseconds=20))
    async with running(InferenceApp(settings, CollectorRegistry())) as where:
        seen: list[str] = []
        stopping = asyncio.Event()

        async def caller() -> None:
            while not stopping.is_set():
                seen.append((await infer(where)).model_version)

        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(caller())
            await until(lambda: "1" in seen)
            write_identity(repository, "identity", "2")
            await until(lambda: seen[-1] == "2")
            shutil.rmtree(repository / "identity" / "2")
            await until(lambda: seen[-1] == "1")
            stopping.set()
        # One change each way: no answer of the old version after the new one has begun.
        changes = [after for before, after in itertools.pairwise(seen) if before != after]
        assert changes[0] == "2"
        assert changes[-1] == "1"
