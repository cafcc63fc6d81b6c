"""What the loop asks of a target."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Size:
    """Replicas wanted now, and those that there are."""

    replicas: int
    ready: int


class TargetUnavailable(Exception):
    """The target cannot be read or written now; the next tick tries again. The text is for logs."""


class Target(Protocol):
    """Something with a replica count."""

    @property
    def label(self) -> str:
        """As operators name it: `deployment/inference`."""

    async def size(self) -> Size:
        """The count now. Raises TargetUnavailable."""

    async def resize(self, replicas: int) -> None:
        """Sets the count seen last to `replicas`. Raises TargetUnavailable, also when somebody else set it since."""

    async def close(self) -> None:
        """Gives its connections back."""
