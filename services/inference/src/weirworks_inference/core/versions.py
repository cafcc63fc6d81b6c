"""Which version of a model answers when a caller names none, and what the registry keeps of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """What the registry says of a version."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    TESTING = "testing"


@dataclass(frozen=True, slots=True)
class Registered:
    """A version as it was registered; `digest` is the SHA-256 of its graph in hex."""

    version: str
    status: Status
    digest: str
    # Counts promotions of the model; the larger, the later this version became active. 0 for never.
    promotion: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A registered version."""

    model: str
    version: str
    task: str
    status: str
    digest: str
    path: str
    domain: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    accuracy: float | None
    create_time: datetime
    promote_time: datetime | None
    promotion: int


@dataclass(frozen=True, slots=True)
class Description:
    """What a version is, as it was found when it was registered."""

    model: str
    version: str
    task: str
    digest: str
    path: str
    domain: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A line of the audit."""

    model: str
    version: str
    action: str
    detail: str
    actor: str
    change_time: datetime


def preferred(on_disk: Iterable[str], registered: Mapping[str, Registered]) -> list[str]:
    """The versions that may be the default, best first.

    Without a registered one the highest number comes first. With one, the active version does, then those that
    were active before, the latest first: what a rollback would bring back. Others answer only by their number.
    """
    there = set(on_disk)
    if not any(each.version in there for each in registered.values()):
        return sorted(there, key=int, reverse=True)
    served = [each for each in registered.values() if each.version in there and each.promotion > 0]
    order = sorted(served, key=lambda each: (each.status is Status.ACTIVE, each.promotion), reverse=True)
    return [each.version for each in order if each.status is not Status.TESTING]
