"""Which models stay in memory: loads, idle unloads and evictions under byte budgets, each with a reason.

Least recently used goes first. Pinned models and models with work in hand stay, whatever the budget says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

ModelKey = tuple[str, str]


class Reason(StrEnum):
    """Why a model is loaded, kept out or unloaded."""

    FITS = "Fits"
    MAKES_ROOM = "MakesRoom"
    LARGER_THAN_BUDGET = "LargerThanBudget"
    OTHERS_BUSY_OR_PINNED = "OthersBusyOrPinned"
    IDLE = "Idle"
    LEAST_RECENTLY_USED = "LeastRecentlyUsed"
    OPERATOR = "Operator"
    REPLACED = "Replaced"


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes in host memory and on the device."""

    host: int
    device: int = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(self.host + other.host, self.device + other.device)

    def __sub__(self, other: "Size") -> "Size":
        return Size(self.host - other.host, self.device - other.device)

    def fits(self, budget: "Size") -> bool:
        """True when neither side is over the budget."""
        return self.host <= budget.host and self.device <= budget.device


@dataclass(frozen=True, slots=True)
class Resident:
    """A model in memory; `last_use` in seconds of the clock that `now` is of."""

    key: ModelKey
    size: Size
    last_use: float
    pinned: bool = False
    busy: bool = False

    @property
    def may_go(self) -> bool:
        """True when unloading it disturbs nobody."""
        return not self.pinned and not self.busy


@dataclass(frozen=True, slots=True)
class Eviction:
    """A model to unload, and why."""

    key: ModelKey
    reason: Reason


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a model may be loaded after these evictions."""

    admitted: bool
    reason: Reason
    evictions: tuple[Eviction, ...] = ()


def admit(wanted: Size, residents: Sequence[Resident], budget: Size) -> Admission:
    """Makes room for a model of that size, evicting as few as the order of last use allows."""
    if not wanted.fits(budget):
        return Admission(False, Reason.LARGER_THAN_BUDGET)
    used = sum((each.size for each in residents), Size(0))
    if (used + wanted).fits(budget):
        return Admission(True, Reason.FITS)
    evictions: list[Eviction] = []
    for each in sorted((each for each in residents if each.may_go), key=lambda each: each.last_use):
        over = used + wanted - budget
        # A model that frees nothing of what is short would be evicted for nothing.
        if not ((over.host > 0 and each.size.host > 0) or (over.device > 0 and each.size.device > 0)):
            continue
        evictions.append(Eviction(each.key, Reason.LEAST_RECENTLY_USED))
        used -= each.size
        if (used + wanted).fits(budget):
            return Admission(True, Reason.MAKES_ROOM, tuple(evictions))
    return Admission(False, Reason.OTHERS_BUSY_OR_PINNED)


def idle(residents: Sequence[Resident], now: float, allowed: float) -> tuple[Eviction, ...]:
    """Models that nobody used for `allowed` seconds; none where that is 0."""
    if allowed <= 0:
        return ()
    return tuple(
        Eviction(each.key, Reason.IDLE) for each in residents if each.may_go and now - each.last_use >= allowed
    )


def over_budget(residents: Sequence[Resident], budget: Size) -> tuple[Eviction, ...]:
    """What must go when models turned out larger than was thought when they were admitted."""
    used = sum((each.size for each in residents), Size(0))
    evictions: list[Eviction] = []
    # The one used last stays: it is what somebody is waiting for.
    for each in sorted(residents, key=lambda each: each.last_use)[:-1]:
        if used.fits(budget):
            break
        if each.may_go:
            evictions.append(Eviction(each.key, Reason.LEAST_RECENTLY_USED))
            used -= each.size
    return tuple(evictions)


def retry_delay(failures: int, first: float, longest: float) -> float:
    """Seconds until a load that failed so often is tried again: doubled each time."""
    return float(min(longest, first * 2 ** min(30, max(0, failures - 1))))
