"""A real Kubernetes control plane on loopback: etcd, API server, controller manager, scheduler; no node."""

import hashlib
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE / "controlplane"
_CACHE = Path.home() / ".cache" / "weirworks" / "bin"
_PATIENCE = 90.0


class Missing(Exception):
    """What the machine lacks to have a control plane."""


def binary() -> Path:
    """The one binary with all parts, by the content it is made of; built with Go where it is not cached."""
    digest = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go")))
    path = _CACHE / f"controlplane-{digest.hexdigest()[:16]}"
    if path.exists():
        return path
    if shutil.which("go") is None:
        raise Missing("neither the built control plane nor go is here")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    go = {**os.environ, "CGO_ENABLED": "0"}
    listed = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes"],
        cwd=SOURCE,
        env=go,
        check=True,
        capture_output=True,
        text=True,
    )
    version = listed.stdout.strip()
    # An API server without a version refuses to start.
    known = {"gitVersion": version, "gitMajor": "1", "gitMinor": version.split(".")[1]}
    places = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    stamps = [f"-X {place}.{name}={value}" for place in places for name, value in known.items()]
    command = [
        "go",
        "build",
        "-p",
        "2",
        "-trimpath",
        "-ldflags",
        " ".join(["-s", "-w", *stamps]),
        "-o",
        str(fresh),
        ".",
    ]
    subprocess.run(command, cwd=SOURCE, env=go, check=True)
    fresh.rename(path)
    return path


class ControlPlane:
    """What runs, and how it is reached."""

    def __init__(self, folder: Path, part: Path) -> None:
        self.folder = folder
        self.part = part
        self.kubeconfig = folder / "admin.kubeconfig"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, list[str]] = {}
        self._tokens = {name: secrets.token_hex(16) for name in ("admin", "controllers", "scheduler")}
        self.url = f"https://127.0.0.1:{free_port()}"

    def up(self) -> None:
        """Starts everything. Raises RuntimeError with the end of the log of a part that does not come."""
        etcd, peer = free_port(), free_port()
        key = self.folder / "sa.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        tokens = self.folder / "tokens.csv"
        tokens.write_text(
            f'{self._tokens["admin"]},admin,admin,"system:masters"\n'
            f"{self._tokens['controllers']},system:kube-controller-manager,controllers\n"
            f"{self._tokens['scheduler']},system:kube-scheduler,scheduler\n"
        )
        tokens.chmod(0o600)
        store = f"http://127.0.0.1:{etcd}"
        ours = f"http://127.0.0.1:{peer}"
        self.start(
            "etcd",
            {
                "data-dir": self.folder / "etcd",
                "unsafe-no-fsync": "true",
                "log-level": "warn",
                "listen-client-urls": store,
                "advertise-client-urls": store,
                "listen-peer-urls": ours,
                "initial-advertise-peer-urls": ours,
                "initial-cluster": f"default={ours}",
            },
        )
        self.start(
            "kube-apiserver",
            {
                "etcd-servers": store,
                "bind-address": "127.0.0.1",
                "secure-port": self.url.rsplit(":", 1)[1],
                "cert-dir": self.folder / "pki",
                "endpoint-reconciler-type": "none",
                "service-cluster-ip-range": "192.0.2.0/24",
                "authorization-mode": "RBAC",
                "token-auth-file": tokens,
                "service-account-issuer": "https://kubernetes.default.svc",
                "service-account-key-file": key,
                "service-account-signing-key-file": key,
                # An address for its own Service; nothing ever connects to it (RFC 5737).
                "advertise-address": "198.51.100.1",
            },
        )
        self._await("kube-apiserver", lambda: self._get("/readyz", "admin"))
        self.config("admin", self.kubeconfig)
        controllers = self.config("controllers", self.folder / "controllers.kubeconfig")
        scheduler = self.config("scheduler", self.folder / "scheduler.kubeconfig")
        shared = {"bind-address": "127.0.0.1", "leader-elect": "false"}
        self.start(
            "kube-controller-manager",
            {
                **shared,
                "secure-port": free_port(),
                "kubeconfig": controllers,
                "use-service-account-credentials": "true",
                "service-account-private-key-file": key,
                "root-ca-file": self.folder / "pki/apiserver.crt",
                # No node reports here, so nobody may find nodes to be lost.
                "controllers": "*,-node-lifecycle-controller,-cloud-node-lifecycle-controller",
            },
        )
        self.start("kube-scheduler", {**shared, "secure-port": free_port(), "kubeconfig": scheduler})
        path = "/api/v1/namespaces/default/serviceaccounts/default"
        self._await("kube-controller-manager", lambda: self._get(path, "admin"))

    def start(self, name: str, flags: Mapping[str, object] | None = None) -> None:
        """Starts a part; without flags with those that it had."""
        if flags is not None:
            self._commands[name] = [str(self.part), name, *(f"--{flag}={value}" for flag, value in flags.items())]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                self._commands[name], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self.folder
            )

    def stop(self, name: str) -> None:
        """Kills a part."""
        process = self._processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    def down(self) -> None:
        """Kills everything; the data are thrown away."""
        for name in reversed(list(self._processes)):
            self.stop(name)

    def ready(self) -> None:
        """Waits for the API server after a restart."""
        self._await("kube-apiserver", lambda: self._get("/readyz", "admin"))

    def kubectl(self, *arguments: str, text: str = "", check: bool = True) -> str:
        """What kubectl prints, errors included."""
        done = subprocess.run(
            [str(self.part), "kubectl", *arguments],
            input=text,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout + done.stderr

    def config(self, user: str, path: Path, token: str = "") -> str:
        """Writes a kubeconfig."""
        cluster = {"server": self.url, "certificate-authority": str(self.folder / "pki/apiserver.crt")}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token or self._tokens[user]}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        }
        path.write_text(json.dumps(content))
        path.chmod(0o600)
        return str(path)

    def _get(self, path: str, user: str) -> bool:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self._tokens[user]}"})
        # The certificate is made at the start, on a loopback port of our own.
        context = ssl._create_unverified_context()
        with urllib.request.urlopen(request, timeout=3, context=context) as answer:
            return bool(answer.status == 200)

    def _await(self, name: str, asked: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            for part, process in self._processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{part} ended: {self._log(part)}")
            try:
                if asked():
                    return
            except (OSError, urllib.error.URLError):
                pass
            time.sleep(0.05)
        raise RuntimeError(f"{name} does not come: {self._log(name)}")

    def _log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """Raises Missing where there is no way to have one."""
    if shutil.which("openssl") is None:
        raise Missing("openssl is not here")
    plane = ControlPlane(folder, binary())
    try:
        plane.up()
        yield plane
    finally:
        plane.down()


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
