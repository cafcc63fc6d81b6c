"""Dockerfile, compose file and dashboard: what can be checked without an engine."""

import importlib
import json
import re

import yaml

from tests.conftest import ROOT

SERVICES = ("router", "inference", "cache", "telemetry", "autoscaler")


def settings_of(service: str) -> set[str]:
    """The variables that a service reads."""
    module = importlib.import_module(f"weirworks_{service}.settings")
    kind = getattr(module, f"{service.capitalize()}Settings")
    prefix = kind.model_config["env_prefix"]
    return {f"{prefix}{name}".upper() for name in kind.model_fields}


def known_variables() -> set[str]:
    return set().union(*(settings_of(service) for service in SERVICES))


def used_variables(text: str) -> set[str]:
    return set(re.findall(r"WEIRWORKS_[A-Z_]+[A-Z]", text)) - {"WEIRWORKS_SERVICE"}


def test_compose_has_every_service_with_settings_that_exist() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    compose = yaml.safe_load(text)
    assert {*SERVICES, "postgres", "valkey", "prometheus", "grafana"} <= compose["services"].keys()
    assert used_variables(text) <= known_variables()
    for service in SERVICES:
        built = compose["services"][service]["build"]
        assert built["args"]["SERVICE"] == service
        assert (ROOT / built["dockerfile"]).exists()
        assert compose["services"][service]["cap_drop"] == ["ALL"]


def test_every_path_and_volume_of_compose_exists() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"], source


def test_the_dockerfile_is_multi_stage_and_not_root() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    assert text.count("\nFROM ") >= 4
    assert "# syntax" not in text
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    copied = {
        source for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for source in line.split()[:-1]
    }
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    for source in copied - {"services/${SERVICE}"}:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in allowed


def test_every_metric_of_the_dashboard_exists() -> None:
    dashboard = json.loads((ROOT / "deploy/helm/weirworks/dashboards/overview.json").read_text())
    asked = set()
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            asked |= set(re.findall(r"weirworks_[a-z_]+", target["expr"]))
    sources = "".join(path.read_text() for path in ROOT.glob("*/*/src/**/*.py"))
    for name in asked:
        plain = re.sub(r"_(total|bucket)$", "", name)
        assert f'"{plain}"' in sources, name


def test_locks_name_no_host_and_pin_every_package_with_a_hash() -> None:
    locks = [*ROOT.glob("requirements*"), *ROOT.glob("services/*/requirements*.lock")]
    assert len(locks) >= 9
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text
        assert "--index" not in text
        for line in text.splitlines():
            if line and not line.startswith((" ", "#")):
                assert "==" in line, line
                assert line.endswith("\\"), line
