"""What the tests of the whole product share: the real models, and a running suite."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from weirworks_cli.context import Context

ROOT = Path(__file__).parent.parent
WEIR = [sys.executable, "-m", "weirworks_cli.main"]


@dataclass(frozen=True, slots=True)
class Up:
    """A suite that `weir up` started."""

    process: "subprocess.Popen[str]"
    name: str
    environment: dict[str, str]
    folder: Path

    @property
    def context(self) -> Context:
        """Where its services are."""
        file = Path(self.environment["XDG_STATE_HOME"]) / "weirworks" / f"{self.name}.json"
        return Context(**json.loads(file.read_text("utf-8")))

    def weir(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Runs a `weir` command against it."""
        return subprocess.run(
            [*WEIR, "--context", self.name, *arguments],
            capture_output=True,
            text=True,
            check=check,
            env=self.environment,
            cwd=ROOT,
            timeout=120,
        )


@pytest.fixture(scope="session")
def models() -> Path:
    """The repository that `make models` builds."""
    folder = ROOT / "models"
    assert (folder / "lite0" / "1" / "model.onnx").exists(), "build them with: make models"
    return folder


@contextmanager
def weir_up(folder: Path, name: str, **settings: str) -> Iterator[Up]:
    """A suite for the length of the `with`; its end must leave no process and exit code 0."""
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), **settings}
    command = [*WEIR, "--context", name, "up", "--data", str(folder / name), "--models", str(ROOT / "models")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "ready\n":
                break
        else:
            _, errors = process.communicate(timeout=60)
            raise AssertionError(f"the suite did not come up: {errors}")
        yield Up(process, name, environment, folder / name)
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors
