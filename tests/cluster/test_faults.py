"""What goes wrong around the autoscaler, on a real API server: no wrong count, no crash, the right words."""

import asyncio
import json
import signal
import time

import pytest

from tests.cluster.scene import Scene

HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: rival}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: inference}
  minReplicas: 1
  maxReplicas: 2
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
"""


def holder(stage: Scene) -> str:
    lease = stage.kubectl("get", "lease", "weirworks-autoscaler", "-o", "json", check=False)
    return str(json.loads(lease)["spec"].get("holderIdentity", "")) if lease.startswith("{") else ""


async def test_a_killed_leader_is_followed_by_the_other(stage: Scene) -> None:
    stage.scaler()
    first = stage.start()
    await stage.until(lambda: holder(stage) != "")
    leader = holder(stage)
    stage.start()
    stage.telemetry.load = 35.0
    # Killed while it resizes.
    await stage.until(lambda: stage.replicas() >= 2)
    first.send_signal(signal.SIGKILL)
    first.wait()
    stage.telemetry.load = 75.0
    await stage.until(lambda: holder(stage) not in ("", leader))
    await stage.until(lambda: stage.replicas() >= 8)
    assert stage.condition("Ready")[0] == "True"


async def test_only_one_of_two_writes(stage: Scene) -> None:
    stage.scaler()
    stage.start()
    stage.start()
    stage.telemetry.load = 35.0
    await stage.until(lambda: stage.replicas() >= 4)
    await asyncio.sleep(1.5)
    rescales = stage.events("SuccessfulRescale")
    assert len(rescales) == len(set(rescales))
    assert stage.events("ManualChange") == []


async def test_an_hpa_on_the_target_is_left_alone_and_reported(stage: Scene) -> None:
    stage.kubectl("apply", "-f", "-", text=HPA)
    stage.telemetry.load = 75.0
    stage.scaler()
    stage.start()
    await stage.until(lambda: stage.condition("Conflict") == ("True", "HorizontalPodAutoscaler"))
    await stage.until(lambda: bool(stage.events("TargetConflict")))
    assert stage.replicas() <= 2
    assert stage.condition("Ready")[0] == "False"
    stage.kubectl("delete", "hpa", "rival")
    await stage.until(lambda: stage.replicas() >= 8)
    await stage.until(lambda: stage.condition("Conflict") == ("False", "NoConflict"))


async def test_of_two_scalers_the_older_resizes(stage: Scene) -> None:
    stage.telemetry.load = 35.0
    stage.scaler("older")
    # Creation times are whole seconds.
    await asyncio.sleep(1.1)
    stage.scaler("younger", maxReplicas=2)
    stage.start()
    await stage.until(lambda: stage.condition("Conflict", "younger") == ("True", "InferenceScaler"))
    await stage.until(lambda: stage.replicas() >= 4)
    assert stage.condition("Conflict", "older")[0] == "False"


async def test_without_telemetry_the_count_stays(stage: Scene) -> None:
    stage.telemetry.load = 35.0
    stage.scaler(fallback={"replicas": 6, "after": "8s"})
    stage.start()
    await stage.until(lambda: stage.replicas() >= 4)
    before = stage.replicas()
    stage.telemetry.load = None
    await stage.until(lambda: stage.status().get("reason") == "NoData")
    assert stage.replicas() == before
    assert stage.condition("ScalingActive") == ("False", "NoData")
    await stage.until(lambda: stage.replicas() == 6)
    stage.telemetry.load = 85.0
    await stage.until(lambda: stage.replicas() >= 9)


async def test_a_target_that_is_deleted_comes_back(stage: Scene) -> None:
    stage.telemetry.load = 35.0
    stage.scaler()
    stage.start()
    await stage.until(lambda: stage.replicas() >= 4)
    stage.kubectl("delete", "deployment", "inference")
    await stage.until(lambda: stage.condition("AbleToScale") == ("False", "TargetNotFound"))
    await stage.until(lambda: bool(stage.events("TargetUnavailable")))
    stage.deployment()
    await stage.until(lambda: stage.replicas() >= 4)


async def test_nonsense_that_the_schema_lets_through_is_reported(stage: Scene) -> None:
    stage.telemetry.load = 35.0
    stage.scaler()
    stage.start()
    await stage.until(lambda: stage.replicas() >= 4)
    stage.kubectl("annotate", "isc", "chat", "autoscaling.weirworks.dev/paused-replicas=many")
    await stage.until(lambda: stage.condition("Ready") == ("False", "InvalidSpec"))
    kept = stage.replicas()
    stage.telemetry.load = 85.0
    await asyncio.sleep(1.5)
    assert stage.replicas() == kept
    stage.kubectl("annotate", "isc", "chat", "autoscaling.weirworks.dev/paused-replicas-")
    await stage.until(lambda: stage.replicas() >= 9)


async def test_a_storm_of_other_writes_keeps_nothing_from_being_resized(stage: Scene) -> None:
    stage.scaler()
    stage.start()
    await stage.until(lambda: stage.condition("Ready")[0] == "True")
    ending = time.monotonic() + 6

    def storm() -> None:
        number = 0
        while time.monotonic() < ending:
            number += 1
            stage.kubectl("annotate", "deployment", "inference", f"storm={number}", "--overwrite")

    storming = asyncio.create_task(asyncio.to_thread(storm))
    stage.telemetry.load = 45.0
    await stage.until(lambda: stage.replicas() >= 5)
    await storming
    assert stage.processes[0].poll() is None


@pytest.mark.timeout(180)
async def test_an_api_server_that_is_gone_for_half_a_minute_is_waited_for(stage: Scene) -> None:
    stage.telemetry.load = 35.0
    stage.scaler()
    stage.start()
    await stage.until(lambda: stage.replicas() >= 4)
    stage.plane.stop("kube-apiserver")
    stage.telemetry.load = 75.0
    await asyncio.sleep(30)
    assert stage.processes[0].poll() is None
    stage.plane.start("kube-apiserver")
    await asyncio.to_thread(stage.plane.ready)
    await stage.until(lambda: stage.replicas() >= 8, patience=60)
    assert stage.events("ManualChange") == []
