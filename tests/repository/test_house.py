"""What must stay true of the repository as a whole."""

import importlib
import inspect
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from weirworks.errors.v1.reason_pb2 import ErrorReason
from weirworks.router.v1 import router_service_pb2
from weirworks_client import WeirClient
from weirworks_rpc.service import snake_case

from tests.conftest import ROOT, WEIR

SERVICES = ("router", "inference", "cache", "telemetry", "autoscaler")


def sources() -> str:
    return "".join(path.read_text("utf-8") for path in ROOT.glob("*/*/src/**/*.py"))


def test_every_error_reason_is_raised_by_somebody() -> None:
    text = sources()
    names = [value.name for value in ErrorReason.DESCRIPTOR.values if value.number]
    assert not [name for name in names if f"ErrorReason.{name}" not in text]


def test_every_router_call_has_a_client_method() -> None:
    service = router_service_pb2.DESCRIPTOR.services_by_name["RouterService"]
    methods = dict(inspect.getmembers(WeirClient, inspect.isfunction))
    assert not [method.name for method in service.methods if snake_case(method.name) not in methods]


def test_every_call_of_a_proto_is_answered() -> None:
    servicers = {
        "router": "RouterServicer",
        "cache": "CacheServicer",
        "telemetry": "TelemetryServicer",
        "autoscaler": "AutoscalerServicer",
    }
    for service, name in servicers.items():
        stub = importlib.import_module(f"weirworks.{service}.v1.{service}_service_pb2")
        servicer = getattr(importlib.import_module(f"weirworks_{service}.servicer"), name)
        (descriptor,) = stub.DESCRIPTOR.services_by_name.values()
        assert not [method.name for method in descriptor.methods if not hasattr(servicer, snake_case(method.name))]


@pytest.mark.parametrize("service", SERVICES)
def test_every_metric_is_written_by_somebody(service: str) -> None:
    folder = ROOT / "services" / service / "src" / f"weirworks_{service}"
    names = re.findall(r"self\.(\w+) = (?:Counter|Gauge|Histogram)", (folder / "instruments.py").read_text())
    text = "".join(path.read_text() for path in folder.rglob("*.py") if path.name != "instruments.py")
    assert names
    assert not [name for name in names if f"instruments.{name}." not in text]


def test_generated_docs_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("readme", ["README.md", "README.tr.md"])
def test_the_targets_and_commands_of_the_readme_exist(readme: str) -> None:
    text = (ROOT / readme).read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets
    known = subprocess.run([*WEIR, "--help"], capture_output=True, text=True, check=True).stdout
    for command in set(re.findall(r"\bweir ([a-z]+)", text)):
        assert re.search(rf"^  {command}\b", known, re.MULTILINE), command


def test_links_in_the_docs_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/*/README.md")]:
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)}: {link}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_what_is_wrong_with_its_settings(service: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"weirworks_{service}.main"],
        capture_output=True,
        text=True,
        check=False,
        env={f"WEIRWORKS_{service.upper()}_PORT": "99999", "PATH": ""},
    )
    assert done.returncode == 2
    assert f"WEIRWORKS_{service.upper()}_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_effective_settings_are_printed_with_secrets_masked() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "weirworks_cache.main", "--show-settings"],
        capture_output=True,
        text=True,
        check=True,
        env={"WEIRWORKS_CACHE_REDIS_URL": "redis://:password@host", "PATH": ""},
    )
    assert "WEIRWORKS_CACHE_REDIS_URL=********" in done.stdout
    assert "password" not in done.stdout


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            [sys.executable, "-m", "weirworks_router.main"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"WEIRWORKS_ROUTER_PORT": str(taken.getsockname()[1]), "PATH": ""},
        )
    assert done.returncode == 1
    assert "cannot start" in done.stderr
    assert "Traceback" not in done.stderr
