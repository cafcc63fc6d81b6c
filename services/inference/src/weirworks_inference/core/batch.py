"""Which waiting requests run together, now or when: a pure choice of data and time.

By default a free device takes what waits and never waits for more (continuous, "opportunistic" batching):
under load the line fills while a batch runs, and without load nobody pays for company that does not come.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

# A waiting request gains one priority level per second, so that a stream of urgent ones starves nobody.
_AGEING = 1.0


class Reason(StrEnum):
    """Why the device does what it does next."""

    NOTHING_WAITS = "NothingWaits"
    DEVICE_FREE = "DeviceFree"
    FULL = "Full"
    DELAY_OVER = "DelayOver"
    WAITING_FOR_MORE = "WaitingForMore"


@dataclass(frozen=True, slots=True)
class BatchRule:
    """How many rows of one group may run at once, and how long the first may wait for more, in seconds."""

    rows: int = 1
    delay: float = 0.0


@dataclass(slots=True)
class Waiting:
    """One request in the line. Requests of one `group` may share a run: same model, same shape bucket.

    Priority 0 is the most urgent. Times are seconds of one clock.
    """

    group: Hashable
    rule: BatchRule
    rows: int
    priority: int
    joined: float
    deadline: float


W = TypeVar("W", bound=Waiting)


@dataclass(frozen=True, slots=True)
class Choice(Generic[W]):
    """What runs now, what is too late to run, and when to look again if nothing runs."""

    run: tuple[W, ...]
    expired: tuple[W, ...]
    reason: Reason
    look_again: float | None = None


def choose(line: Sequence[W], now: float) -> Choice[W]:
    """The next batch of a line that is in the order of arrival.

    The most urgent request leads; others of its group join in the order of urgency while there is room. A
    request larger than the rule runs alone. Expired requests are dropped before anything runs.
    """
    expired = tuple(each for each in line if each.deadline <= now)
    alive = [each for each in line if each.deadline > now] if expired else list(line)
    if not alive:
        return Choice((), expired, Reason.NOTHING_WAITS)
    if any(each.priority != alive[0].priority for each in alive):
        alive.sort(key=lambda each: each.priority - (now - each.joined) / _AGEING)
    look_again: list[float] = []
    held: set[Hashable] = set()
    for leader in alive:
        if leader.group in held:
            continue
        batch, rows, full = _company(leader, alive)
        due = min(each.joined for each in batch) + leader.rule.delay
        if full:
            return Choice(batch, expired, Reason.FULL if rows > leader.rows else Reason.DEVICE_FREE)
        if leader.rule.delay <= 0:
            return Choice(batch, expired, Reason.DEVICE_FREE)
        if due <= now:
            return Choice(batch, expired, Reason.DELAY_OVER)
        # A group that waits for company must not hold up one that is ready.
        held.add(leader.group)
        look_again += [due, *(each.deadline for each in batch)]
    return Choice((), expired, Reason.WAITING_FOR_MORE, min(look_again))


def length_bucket(length: int) -> int:
    """The bucket of a varying dimension: requests of one bucket are padded to its longest.

    Four buckets to a doubling: padding everything to the longest of a whole line costs more than batching
    gains, and exact lengths hardly ever meet.
    """
    if length <= 8:
        return 8
    step = max(4, 1 << (length.bit_length() - 3))
    return -(-length // step) * step


def _company(leader: W, alive: Sequence[W]) -> tuple[tuple[W, ...], int, bool]:
    """The leader's batch, its rows, and whether it takes no more."""
    batch, rows = [leader], leader.rows
    if rows >= leader.rule.rows:
        return (leader,), rows, True
    for each in alive:
        if each is leader or each.group != leader.group:
            continue
        if rows + each.rows > leader.rule.rows:
            return tuple(batch), rows, True
        batch.append(each)
        rows += each.rows
    return tuple(batch), rows, rows >= leader.rule.rows
