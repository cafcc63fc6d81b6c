"""A namespace with Deployments, scalers, a telemetry that tests speak for, and autoscalers as processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from weirworks_rpc import Server, ServerOptions
from weirworks_testkit.running import serving, until
from weirworks_testkit.telemetry import SaidTelemetry

from tests.cluster.controlplane import ControlPlane
from tests.conftest import ROOT

BASE = ROOT / "deploy" / "k8s" / "base" / "weirworks.yaml"
_RBAC = ("Role", "RoleBinding", "ServiceAccount")


class Scene:
    """One namespace. Everything that is asked of the cluster is asked by kubectl."""

    def __init__(self, plane: ControlPlane, name: str, telemetry: SaidTelemetry, address: str, folder: Path) -> None:
        self.plane = plane
        self.name = name
        self.telemetry = telemetry
        self._address = address
        self._folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        # As the chart's own account, with the rights that it gives and no others.
        account = f"system:serviceaccount:{name}:weirworks-autoscaler"
        self.kubectl("create", "namespace", name)
        for each in yaml.safe_load_all(BASE.read_text()):
            if each["kind"] in _RBAC and each["metadata"]["name"].endswith("autoscaler"):
                each["metadata"]["namespace"] = name
                for subject in each.get("subjects", []):
                    subject["namespace"] = name
                self.apply(each)
        token = self.kubectl("create", "token", "weirworks-autoscaler").strip()
        self._kubeconfig = plane.config(account, folder / "autoscaler.kubeconfig", token)

    def kubectl(self, *arguments: str, text: str = "", check: bool = True) -> str:
        return self.plane.kubectl("--namespace", self.name, *arguments, text=text, check=check)

    def apply(self, document: dict[str, Any], check: bool = True) -> str:
        return self.kubectl("apply", "-f", "-", text=json.dumps(document), check=check)

    def deployment(self, name: str = "inference", replicas: int = 1) -> None:
        labels = {"app": name}
        pod = {"containers": [{"name": "main", "image": "none.invalid/none"}]}
        self.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": pod},
                },
            }
        )

    def scaler(self, name: str = "chat", target: str = "inference", check: bool = True, **spec: Any) -> str:
        spec = {
            "scaleTargetRef": {"name": target},
            "minReplicas": 1,
            "maxReplicas": 10,
            "target": {"capacity": 10, "utilization": 1},
            "forecast": {"leadTime": "3s"},
            "staleAfter": "5s",
            **spec,
        }
        meta = {"name": name}
        document = {"apiVersion": "autoscaling.weirworks.dev/v1alpha1", "kind": "InferenceScaler", "metadata": meta}
        return self.apply({**document, "spec": spec}, check)

    def start(self) -> "subprocess.Popen[bytes]":
        """One autoscaler more."""
        number = len(self.processes)
        settings = {
            "PROVIDER": "kubernetes",
            "TELEMETRY": self._address,
            "NAMESPACE": self.name,
            "LEASE_NAMESPACE": self.name,
            "LEASE_DURATION": "PT3S",
            "TICK": "PT0.25S",
            "METRICS_LAG": "PT0S",
            "PORT": "0",
            "METRICS_PORT": "0",
            "DATA_DIR": str(self._folder / f"data-{number}"),
        }
        environment = {f"WEIRWORKS_AUTOSCALER_{key}": value for key, value in settings.items()}
        with (self._folder / f"autoscaler-{number}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "weirworks_autoscaler.main"],
                env={**os.environ, **environment, "KUBECONFIG": self._kubeconfig},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self._folder.glob("autoscaler-*.log")))

    def replicas(self, name: str = "inference") -> int:
        return int(self.kubectl("get", "deployment", name, "-o", "jsonpath={.spec.replicas}"))

    def status(self, name: str = "chat") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "isc", name, "-o", "json"))
        return found.get("status") or {}

    def condition(self, kind: str, name: str = "chat") -> tuple[str, str]:
        """(status, reason); empty words before there is one."""
        for each in self.status(name).get("conditions", []):
            if each["type"] == kind:
                return each["status"], each["reason"]
        return "", ""

    def events(self, reason: str) -> list[str]:
        found = json.loads(self.kubectl("get", "events", "-o", "json"))
        return [each["message"] for each in found["items"] if each["reason"] == reason]

    async def until(self, claim: Callable[[], bool | Awaitable[bool]], patience: float = 40.0) -> None:
        """The same as the testkit's, with the autoscalers' logs when it fails."""

        async def looked() -> bool:
            outcome = await asyncio.to_thread(claim)
            return outcome if isinstance(outcome, bool) else await outcome

        try:
            await until(looked, patience)
        except AssertionError as error:
            raise AssertionError(
                f"{error}\n{self.kubectl('get', 'isc', '-o', 'yaml')}\n{self.logs()[-4000:]}"
            ) from error

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(timeout=30)
        self.kubectl("delete", "namespace", self.name, "--wait=false")


@asynccontextmanager
async def scene(plane: ControlPlane, name: str, folder: Path) -> AsyncIterator[Scene]:
    """For the length of the `async with`."""
    telemetry = SaidTelemetry()
    async with serving(Server([telemetry.service], ServerOptions())) as address:
        made = await asyncio.to_thread(Scene, plane, name, telemetry, address, folder)
        try:
            yield made
        finally:
            await asyncio.to_thread(made.end)
