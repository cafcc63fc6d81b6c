"""Resizes local inference processes through a folder that their supervisor shares.

The supervisor is to this what the kubelet is to a Deployment: it starts, drains and restarts processes
until there are as many as `desired` says, and lists those that are ready in `endpoints.json`. So the
replicas outlive a restart of the autoscaler.
"""

import json
from pathlib import Path

from weirworks_autoscaler.providers.protocol import Size, TargetUnavailable


class LocalTarget:
    """`<folder>/desired` and `<folder>/endpoints.json`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def label(self) -> str:
        return "processes/inference"

    async def size(self) -> Size:
        try:
            desired = int((self._folder / "desired").read_text())
            ready = len(json.loads((self._folder / "endpoints.json").read_text())["endpoints"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TargetUnavailable(f"{self._folder} has no supervisor") from error
        return Size(desired, ready)

    async def resize(self, replicas: int) -> None:
        fresh = self._folder / "desired.new"
        try:
            # Renamed, so that the supervisor never reads half a number.
            fresh.write_text(str(replicas))
            fresh.rename(self._folder / "desired")
        except OSError as error:
            raise TargetUnavailable(f"{self._folder} cannot be written") from error

    async def close(self) -> None:
        return
