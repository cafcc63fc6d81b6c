"""What the loop asks of a target."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Size:
    """Replicas wanted now, and those that are ready."""

    replicas: int
    ready: int
    # How the target's pods are found; empty where there are none.
    selector: str = ""


class TargetUnavailable(Exception):
    """The target cannot be read or written now; the next tick tries again. The text is for logs."""

    def __init__(self, message: str, reason: str = "Unreachable") -> None:
        super().__init__(message)
        # One CamelCase word.
        self.reason = reason


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
