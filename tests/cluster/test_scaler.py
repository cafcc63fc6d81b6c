"""InferenceScalers on a real API server: what they say, and that they do it."""

from tests.cluster.controlplane import ControlPlane
from tests.cluster.scene import Scene


async def test_load_resizes_the_target_and_everything_says_so(stage: Scene) -> None:
    stage.scaler()
    stage.start()
    stage.telemetry.load = 35.0
    await stage.until(lambda: stage.replicas() >= 4)
    await stage.until(lambda: stage.condition("Ready") == ("True", "Reconciled"))
    await stage.until(lambda: bool(stage.events("SuccessfulRescale")))
    assert "requests/s" in stage.events("SuccessfulRescale")[0]
    header, row = stage.kubectl("get", "isc").strip().splitlines()
    assert " ".join(header.split()) == "NAME TARGET LOAD FORECAST MIN MAX REPLICAS DESIRED READY REASON AGE"
    assert row.split()[:2] == ["chat", "deployment/inference"]
    assert "/10 rps" in row
    kinds = {each["type"] for each in stage.status()["conditions"]}
    assert kinds == {"Ready", "AbleToScale", "ScalingActive", "ScalingLimited", "ForecastValid", "Conflict"}
    assert stage.status()["observedGeneration"] == 1
    described = stage.kubectl("describe", "isc", "chat")
    assert "SuccessfulRescale" in described


def test_mistakes_are_refused_with_sentences(plane: ControlPlane) -> None:
    wrong = """
apiVersion: autoscaling.weirworks.dev/v1alpha1
kind: InferenceScaler
metadata: {name: wrong}
spec:
  scaleTargetRef: {kind: Pod, name: a}
  minReplicas: 9
  maxReplicas: 3
  fallback: {replicas: 5}
  target: {capacity: 0, serviceTime: soon}
  objective: {maxLateRatio: 2}
"""
    said = plane.kubectl("apply", "-f", "-", text=wrong, check=False)
    for sentence in (
        "minReplicas must not be above maxReplicas",
        "only a Deployment can be resized",
        "fallback.replicas must not be above maxReplicas",
        "capacity must be above 0",
        "maxLateRatio must be above 0 and below 1",
        "spec.target.serviceTime",
    ):
        assert sentence in said


def test_every_field_is_explained(plane: ControlPlane) -> None:
    for field in ("", ".spec.scaleTargetRef", ".spec.objective.maxLateRatio", ".spec.fallback", ".status.conditions"):
        said = plane.kubectl("explain", f"inferencescalers{field}")
        assert "<no description>" not in said.replace("<empty>", "<no description>"), field


async def test_an_operator_has_the_last_word(stage: Scene) -> None:
    stage.telemetry.load = 35.0
    stage.scaler(paused=True)
    stage.start()
    await stage.until(lambda: stage.status().get("reason") == "Paused")
    assert stage.replicas() == 1
    assert stage.condition("ScalingActive") == ("False", "Paused")
    stage.kubectl("annotate", "isc", "chat", "autoscaling.weirworks.dev/paused-replicas=7")
    await stage.until(lambda: stage.replicas() == 7)
    await stage.until(lambda: stage.status().get("reason") == "Pinned")
    stage.kubectl("annotate", "isc", "chat", "autoscaling.weirworks.dev/paused-replicas-")
    stage.kubectl("patch", "isc", "chat", "--type=merge", "-p", '{"spec":{"paused":false,"maxReplicas":5}}')
    await stage.until(lambda: stage.replicas() in (4, 5))


async def test_a_count_set_by_hand_is_reported_and_corrected(stage: Scene) -> None:
    stage.telemetry.load = 35.0
    stage.scaler()
    stage.start()
    await stage.until(lambda: stage.replicas() >= 4)
    stage.kubectl("scale", "deployment", "inference", "--replicas=9")
    await stage.until(lambda: bool(stage.events("ManualChange")))
    await stage.until(lambda: 4 <= stage.replicas() < 9)
    assert "by somebody else" in stage.events("ManualChange")[0]


async def test_a_scaler_that_is_deleted_leaves_the_deployment(stage: Scene) -> None:
    stage.telemetry.load = 35.0
    stage.scaler()
    stage.start()
    await stage.until(lambda: stage.replicas() >= 4)
    stage.kubectl("delete", "isc", "chat")
    stage.scaler("other", "elsewhere")
    # Who reports on the new one has seen that the old one is gone.
    await stage.until(lambda: stage.condition("AbleToScale", "other") == ("False", "TargetNotFound"))
    stage.telemetry.load = 0.0
    stage.kubectl("scale", "deployment", "inference", "--replicas=6")
    stage.kubectl("patch", "isc", "other", "--type=merge", "-p", '{"spec":{"maxReplicas":5}}')
    await stage.until(lambda: stage.status("other")["observedGeneration"] == 2)
    assert stage.replicas() == 6
