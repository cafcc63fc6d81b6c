import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from kubernetes.aio import client
from prometheus_client import CollectorRegistry
from weirworks.autoscaler.v1 import autoscaler_service_pb2 as pb
from weirworks.autoscaler.v1.autoscaler_service_pb2_grpc import AutoscalerServiceStub
from weirworks_autoscaler.app import AutoscalerApp
from weirworks_autoscaler.observe import History
from weirworks_autoscaler.providers.kubernetes import DeploymentTarget
from weirworks_autoscaler.providers.local import LocalTarget
from weirworks_autoscaler.providers.protocol import Size, TargetUnavailable
from weirworks_autoscaler.settings import AutoscalerSettings, TargetSettings
from weirworks_rpc import Server, ServerOptions, error_from_rpc, open_channel
from weirworks_testkit.kubernetes_api import FakeKubernetes, fake_kubernetes
from weirworks_testkit.running import running, serving, until
from weirworks_testkit.telemetry import SaidTelemetry

KEY = ("prod", "inference")
TARGET = TargetSettings(
    name="inference",
    capacity=10,
    utilization=1,
    stabilization=timedelta(0),
    lead_time=timedelta(seconds=3),
    horizon=timedelta(seconds=10),
)


@pytest.fixture
def telemetry() -> SaidTelemetry:
    return SaidTelemetry()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "desired").write_text("1")
    (tmp_path / "endpoints.json").write_text(json.dumps({"endpoints": ["127.0.0.1:1"]}))
    return tmp_path


@pytest.fixture
async def stub(telemetry: SaidTelemetry, folder: Path) -> AsyncIterator[AutoscalerServiceStub]:
    async with serving(Server([telemetry.service], ServerOptions())) as where:
        settings = AutoscalerSettings(
            telemetry=where,
            data_dir=folder,
            scale_dir=folder,
            tick=timedelta(seconds=0.05),
            metrics_lag=timedelta(0),
            event_interval=timedelta(seconds=0.05),
            targets=[TARGET],
        )
        async with running(AutoscalerApp(settings, CollectorRegistry())) as address, open_channel(address) as channel:
            yield AutoscalerServiceStub(channel)


def wanted(folder: Path) -> int:
    return int((folder / "desired").read_text())


async def test_a_loop_resizes_reports_and_tells_telemetry(
    stub: AutoscalerServiceStub, telemetry: SaidTelemetry, folder: Path
) -> None:
    telemetry.load = 35.0
    await until(lambda: wanted(folder) >= 4)
    await until(lambda: any(event.scaling.to_replicas >= 4 for event in telemetry.events))
    scaler = (await stub.GetScaler(pb.GetScalerRequest(name="scalers/inference"), timeout=5)).scaler
    assert (scaler.target, scaler.max_replicas, scaler.ready_replicas) == ("processes/inference", 10, 1)
    listed = await stub.ListDecisions(pb.ListDecisionsRequest(name="scalers/inference"), timeout=5)
    changes = [each for each in listed.decisions if each.to_replicas != each.from_replicas]
    assert changes[-1].from_replicas == 1
    assert changes[0].to_replicas >= changes[0].reactive_replicas == 4
    assert changes[0].forecast_replicas == changes[0].to_replicas
    assert len((await stub.ListScalers(pb.ListScalersRequest(), timeout=5)).scalers) == 1
    forecast = (await stub.GetForecast(pb.GetForecastRequest(name="scalers/inference"), timeout=5)).forecast
    assert len(forecast.points) >= 5
    assert forecast.points[0].lower <= forecast.points[0].median <= forecast.points[0].upper


async def test_telemetry_that_is_away_changes_nothing(
    stub: AutoscalerServiceStub, telemetry: SaidTelemetry, folder: Path
) -> None:
    telemetry.load = 35.0
    await until(lambda: wanted(folder) >= 4)
    telemetry.load = None

    async def ticked() -> bool:
        scaler = (await stub.GetScaler(pb.GetScalerRequest(name="scalers/inference"), timeout=5)).scaler
        return scaler.decision.decide_time.ToDatetime(UTC) > before

    before = datetime.now(UTC) + timedelta(seconds=0.3)
    kept = wanted(folder)
    await until(ticked)
    assert wanted(folder) == kept


async def test_a_target_that_is_away_is_tried_again(
    stub: AutoscalerServiceStub, telemetry: SaidTelemetry, folder: Path
) -> None:
    (folder / "desired").unlink()
    telemetry.load = 35.0
    await stub.ListScalers(pb.ListScalersRequest(), timeout=5)
    (folder / "desired").write_text("1")
    await until(lambda: wanted(folder) >= 4)


async def test_history_that_comes_after_the_first_question_is_found(telemetry: SaidTelemetry) -> None:
    telemetry.load, telemetry.reach = 5.0, 0
    async with serving(Server([telemetry.service], ServerOptions())) as where, open_channel(where) as channel:
        history = History(channel, "*", timedelta(hours=1), timedelta(0))
        await history.refresh(datetime.now(UTC))
        assert len(history.loads()) == 1
        telemetry.reach = 600
        await history.refresh(datetime.now(UTC))
        assert len(history.loads()) >= 599


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param(pb.GetScalerRequest(name="x"), "INVALID_ARGUMENT", id="no prefix"),
        pytest.param(pb.GetScalerRequest(name="scalers/none"), "NOT_FOUND", id="unknown"),
        pytest.param(pb.GetForecastRequest(), "INVALID_ARGUMENT", id="no name"),
        pytest.param(pb.ListDecisionsRequest(name="scalers/inference", page_size=-1), "INVALID_ARGUMENT", id="page"),
        pytest.param(
            pb.ListDecisionsRequest(name="scalers/inference", start_time={"seconds": 10**15}),
            "INVALID_ARGUMENT",
            id="no such year",
        ),
        pytest.param(pb.ListScalersRequest(page_token="x"), "INVALID_ARGUMENT", id="token"),
    ],
)
async def test_a_bad_request_gets_the_right_code(stub: AutoscalerServiceStub, request_: object, code: str) -> None:
    method = getattr(stub, type(request_).__name__.removesuffix("Request"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(request_, timeout=5)
    assert error_from_rpc(caught.value).code.name == code


@pytest.fixture
async def kubernetes() -> AsyncIterator[FakeKubernetes]:
    async with fake_kubernetes({KEY: 2}) as fake:
        yield fake


@pytest.fixture
async def deployment(kubernetes: FakeKubernetes) -> AsyncIterator[DeploymentTarget]:
    api = client.ApiClient(client.Configuration(host=kubernetes.url))
    yield DeploymentTarget(api, *KEY)
    await api.close()


async def test_a_deployment_is_resized_through_its_scale_alone(
    deployment: DeploymentTarget, kubernetes: FakeKubernetes
) -> None:
    assert await deployment.size() == Size(2, 2, "app=inference")
    await deployment.resize(5)
    assert kubernetes.replicas[KEY] == 5
    assert [(method, kind) for method, _, kind in kubernetes.requests] == [
        ("GET", "application/json"),
        ("PATCH", "application/merge-patch+json"),
    ]
    path = "/apis/apps/v1/namespaces/prod/deployments/inference"
    assert [path for _, path, _ in kubernetes.requests] == [path, f"{path}/scale"]


async def test_a_second_writer_is_not_overwritten(deployment: DeploymentTarget, kubernetes: FakeKubernetes) -> None:
    await deployment.size()
    kubernetes.version += 1
    kubernetes.replicas[KEY] = 3
    with pytest.raises(TargetUnavailable, match="409") as caught:
        await deployment.resize(5)
    assert caught.value.reason == "ConflictingWrite"
    assert kubernetes.replicas[KEY] == 3


async def test_a_write_of_something_else_is_no_second_writer(
    deployment: DeploymentTarget, kubernetes: FakeKubernetes
) -> None:
    await deployment.size()
    kubernetes.version += 1
    await deployment.resize(5)
    assert kubernetes.replicas[KEY] == 5


@pytest.mark.parametrize("status", [403, 404, 500, 503])
async def test_an_api_error_is_no_crash(deployment: DeploymentTarget, kubernetes: FakeKubernetes, status: int) -> None:
    kubernetes.fail_with = status
    with pytest.raises(TargetUnavailable, match=str(status)):
        await deployment.size()


async def test_an_api_that_is_away_is_no_crash() -> None:
    api = client.ApiClient(client.Configuration(host="http://127.0.0.1:9"))
    with pytest.raises(TargetUnavailable):
        await DeploymentTarget(api, *KEY).size()
    await api.close()


async def test_a_folder_without_a_supervisor_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(TargetUnavailable):
        await LocalTarget(tmp_path).size()
    with pytest.raises(TargetUnavailable):
        await LocalTarget(tmp_path / "none").resize(2)
