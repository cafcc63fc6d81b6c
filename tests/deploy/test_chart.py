"""The chart renders, refuses mistakes with a sentence, and is what deploy/k8s/base holds."""

import importlib.util
import os
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
import yaml
from kubernetes import client

from tests.conftest import ROOT
from tests.deploy.test_files import known_variables, used_variables

CHART = ROOT / "deploy" / "helm" / "weirworks"
# Checked by the API server itself, in tests/cluster.
OURS = ("InferenceScaler", "CustomResourceDefinition")
BASE = ROOT / "deploy" / "k8s" / "base" / "weirworks.yaml"


@pytest.fixture(scope="session")
def helm() -> str:
    """Helm from the path, from `make chart`'s cache, or built where Go is."""
    found = shutil.which("helm")
    if found:
        return found
    makefile = (ROOT / "Makefile").read_text()
    version = makefile.split("HELM_VERSION := ")[1].split()[0]
    cached = Path.home() / ".cache" / "weirworks" / "bin" / f"helm-{version}"
    if not cached.exists() and shutil.which("go"):
        subprocess.run(["make", "-C", str(ROOT), str(cached)], check=True, capture_output=True, timeout=1500)
    if not cached.exists():
        pytest.skip("CHART NOT RENDERED: neither helm nor go is here; install one of them")
    return str(cached)


def template(helm: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`helm template` with the newest Kubernetes that is known to work."""
    command = [helm, "template", "weirworks", str(CHART), "--namespace", "weirworks", "--kube-version", "1.32.0"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=60)


def documents(text: str) -> list[dict]:
    return [each for each in yaml.safe_load_all(text) if each]


def assert_valid(document: dict) -> None:
    """Every field is known to the official client's model of the API, with the right type."""
    if document["kind"] in OURS:
        return
    kind = getattr(client, f"V1{document['kind']}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        back = client.ApiClient().sanitize_for_serialization(kind.from_dict(document))
    assert_same(document, back, document["kind"])


def assert_same(wanted: object, back: object, place: str) -> None:
    if isinstance(wanted, dict):
        assert isinstance(back, dict), place
        for name, value in wanted.items():
            # The client leaves out what is null or empty.
            if value not in (None, {}, []):
                assert name in back, f"{place}.{name} is not a field of the API"
                assert_same(value, back[name], f"{place}.{name}")
    elif isinstance(wanted, list):
        assert isinstance(back, list), place
        for position, value in enumerate(wanted):
            assert_same(value, back[position], f"{place}[{position}]")
    else:
        assert wanted == back, place


@pytest.mark.timeout(1600)
def test_the_chart_lints_and_renders_valid_objects(helm: str) -> None:
    lint = subprocess.run([helm, "lint", "--strict", str(CHART)], capture_output=True, text=True, check=False)
    assert lint.returncode == 0, lint.stdout
    done = template(helm)
    assert done.returncode == 0, done.stderr
    objects = documents(done.stdout)
    assert {each["kind"] for each in objects} >= {
        "Deployment",
        "Service",
        "ServiceAccount",
        "Role",
        "StatefulSet",
        "Secret",
    }
    for each in objects:
        assert_valid(each)
    assert used_variables(done.stdout) <= known_variables()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["--set", "nonsense=1"], "nonsense", id="unknown key"),
        pytest.param(["--set", "router.replicas=0"], "replicas", id="no replicas"),
        pytest.param(["--set", "postgres.deploy=false"], "postgres.existingSecret must name", id="no database"),
        pytest.param(["--set", "redis.deploy=false"], "redis.url must be", id="no redis"),
        pytest.param(["--set", "autoscaler.minReplicas=20"], "above autoscaler.maxReplicas", id="bounds"),
    ],
)
def test_a_mistake_is_refused_with_a_sentence(helm: str, arguments: list[str], sentence: str) -> None:
    done = template(helm, *arguments)
    assert done.returncode != 0
    assert sentence in done.stderr


def test_the_base_is_what_the_chart_renders(helm: str) -> None:
    spec = importlib.util.spec_from_file_location("render", ROOT / "deploy" / "render.py")
    assert spec is not None
    assert spec.loader is not None
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    assert render.rendered(helm) == BASE.read_text(), "again: make chart"


def test_the_base_is_valid_and_safe() -> None:
    objects = documents(BASE.read_text())
    for each in objects:
        assert_valid(each)
    deployments = {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "Deployment"}
    assert "replicas" not in deployments["weirworks-inference"]
    for name, spec in deployments.items():
        pod = spec["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"], name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
    (role,) = [each for each in objects if each["kind"] == "Role"]
    rights = {
        (group, name): rule["verbs"]
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for name in rule["resources"]
    }
    assert not any("*" in (*key, *verbs) for key, verbs in rights.items())
    # Of a target only its scale is written.
    assert rights["apps", "deployments"] == ["get"]
    assert rights["apps", "deployments/scale"] == ["patch"]
    assert {name for (_, name), verbs in rights.items() if set(verbs) - {"get", "list", "watch"}} == {
        "deployments/scale",
        "inferencescalers/status",
        "events",
        "leases",
    }


def test_the_overlay_builds() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("OVERLAY NOT BUILT: kubectl is not here")
    command = [kubectl, "kustomize", str(ROOT / "deploy" / "k8s" / "overlays" / "laptop")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "KUBECONFIG": ""})
    assert done.returncode == 0, done.stderr
    objects = documents(done.stdout)
    assert {each["metadata"].get("namespace") for each in objects if each["kind"] == "Deployment"} == {"weirworks"}
    assert {"weirworks-hash", "weirworks-postgres"} == {
        each["metadata"]["name"] for each in objects if each["kind"] == "Secret"
    }
