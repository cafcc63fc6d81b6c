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
# Of a run's time, and in seconds, how long a free device gives those it just answered to be back: what a fuller
# batch saves is several times that.
_GATHERING, _LONGEST_GATHERING = 0.1, 0.005


class Reason(StrEnum):
    """Why the device does what it does next."""

    NOTHING_WAITS = "NothingWaits"
    DEVICE_FREE = "DeviceFree"
    FULL = "Full"
    DELAY_OVER = "DelayOver"
    WAITING_FOR_MORE = "WaitingForMore"
    ALL_BACK = "AllBack"


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


@dataclass(frozen=True, slots=True)
class Gathering:
    """Callers who are likely to be back at once: those just answered, and those who waited meanwhile.

    Without it a device that answers eight callers takes the first who is back alone and the other seven next.
    """

    group: Hashable
    rows: int
    until: float


W = TypeVar("W", bound=Waiting)


@dataclass(frozen=True, slots=True)
class Choice(Generic[W]):
    """What runs now, what is too late to run, and when to look again if nothing runs."""

    run: tuple[W, ...]
    expired: tuple[W, ...]
    reason: Reason
    look_again: float | None = None


def gather(ran: Sequence[W], line: Sequence[W], seconds: float, now: float) -> Gathering | None:
    """Whom to wait for after a batch that ran for `seconds`, at most a tenth of that.

    A caller who is alone is back alone, so nobody waits for company that never was.
    """
    group = ran[0].group
    rows = sum(each.rows for each in ran) + sum(each.rows for each in line if each.group == group)
    if ran[0].rule.rows < 2 or rows <= max(each.rows for each in ran):
        return None
    return Gathering(group, min(rows, ran[0].rule.rows), now + min(_LONGEST_GATHERING, _GATHERING * seconds))


def choose(line: Sequence[W], now: float, gathering: Gathering | None = None) -> Choice[W]:
    """The next batch of a line that is in the order of arrival.

    The most urgent request leads; others of its group join in the order of urgency while there is room. A
    request larger than the rule runs alone. Expired requests are dropped before anything runs.
    """
    if gathering is not None and gathering.until <= now:
        gathering = None
    expired = tuple(each for each in line if each.deadline <= now)
    alive = [each for each in line if each.deadline > now] if expired else list(line)
    if any(each.priority != alive[0].priority for each in alive):
        alive.sort(key=lambda each: each.priority - (now - each.joined) / _AGEING)
    if not alive:
        return Choice((), expired, Reason.NOTHING_WAITS, gathering.until if gathering is not None else None)
    look_again: list[float] = []
    held: set[Hashable] = set()
    for leader in alive:
        if leader.group in held:
            continue
        batch, rows, full = _company(leader, alive)
        due = min(each.joined for each in batch) + leader.rule.delay
        if full:
            return Choice(batch, expired, Reason.FULL if rows > leader.rows else Reason.DEVICE_FREE)
        if gathering is not None and leader.group == gathering.group:
            if rows >= gathering.rows:
                return Choice(batch, expired, Reason.ALL_BACK)
            due = max(due, gathering.until)
        elif leader.rule.delay <= 0:
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
