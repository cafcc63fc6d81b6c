"""One control plane for all tests of this folder."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane, Missing, control_plane
from tests.cluster.scene import Scene, scene
from tests.conftest import ROOT

CRD = ROOT / "deploy" / "helm" / "weirworks" / "crds" / "inferencescalers.yaml"
_NODE = '{"apiVersion":"v1","kind":"Node","metadata":{"name":"node"}}'
_READY = (
    '{"status":{"capacity":{"cpu":"500","memory":"500Gi","pods":"5000"},'
    '"allocatable":{"cpu":"500","memory":"500Gi","pods":"5000"},"conditions":[{"type":"Ready","status":"True"}]}}'
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test may have to wait for the control plane to be built."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(2400))


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With the CRD, and a node on paper that pods are bound to."""
    try:
        with control_plane(tmp_path_factory.mktemp("control-plane")) as made:
            made.kubectl("apply", "-f", str(CRD))
            made.kubectl("wait", "--for=condition=Established", "crd/inferencescalers.autoscaling.weirworks.dev")
            made.kubectl("apply", "-f", "-", text=_NODE)
            made.kubectl("patch", "node", "node", "--subresource=status", "--type=merge", "-p", _READY)
            made.kubectl("patch", "node", "node", "--type=merge", "-p", '{"spec":{"taints":null}}')
            yield made
    except Missing as error:
        pytest.skip(f"NO REAL KUBERNETES: {error}")


@pytest.fixture
async def stage(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Scene]:
    """A fresh namespace with a Deployment `inference`."""
    async with scene(plane, f"t{uuid.uuid4().hex[:8]}", tmp_path) as made:
        made.deployment()
        yield made
