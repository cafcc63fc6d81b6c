"""Which models to load ahead: those that were used in the coming hour on days like this one.

Usage is counted by model, kind of day and hour of day, and halves every week, so that last month's habit
fades. The same function serves the running service and `replay`, which says what it would have been worth.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_HALF_LIFE = timedelta(days=7)
# A model is worth loading ahead when it was used in this share of the hours alike.
_LIKELY = 0.5


class Reason(StrEnum):
    """Why a model is loaded ahead."""

    USED_AT_THIS_HOUR = "UsedAtThisHour"


@dataclass(frozen=True, slots=True)
class Slot:
    """An hour of a day in UTC; weekends are days of their own kind."""

    hour: int
    weekend: bool


@dataclass(frozen=True, slots=True)
class Habit:
    """How often a model was used in hours of one slot: weights of hours with use, and of all hours seen."""

    used: float = 0.0
    seen: float = 0.0
    at: datetime | None = None

    @property
    def likelihood(self) -> float:
        """Share of the hours alike in which it was used; one hour alone is no habit yet."""
        return self.used / (self.seen + 0.5)


@dataclass(frozen=True, slots=True)
class Preload:
    """A model to load ahead and how sure that is, 0 to 1."""

    model: str
    likelihood: float
    reason: Reason = Reason.USED_AT_THIS_HOUR


@dataclass(frozen=True, slots=True)
class Verdict:
    """What loading ahead was worth: of the models loaded ahead, and of the hours with use."""

    ahead: int
    useful: int
    uses: int
    caught: int

    @property
    def hit_rate(self) -> float:
        """Share of loads ahead whose model was used within the hour."""
        return self.useful / self.ahead if self.ahead else 0.0

    @property
    def coverage(self) -> float:
        """Share of (model, hour) uses whose model was loaded ahead."""
        return self.caught / self.uses if self.uses else 0.0


Habits = Mapping[tuple[str, Slot], Habit]


def slot_of(moment: datetime) -> Slot:
    """The slot that a moment lies in."""
    utc = moment.astimezone(UTC)
    return Slot(utc.hour, utc.weekday() >= 5)


def learn(habits: Habits, hour: datetime, used: Iterable[str], known: Iterable[str]) -> dict[tuple[str, Slot], Habit]:
    """The habits after one whole hour in which the models `used` were used, of those `known`."""
    slot, active = slot_of(hour), set(used)
    fresh = dict(habits)
    for model in {*known, *active}:
        old = habits.get((model, slot), Habit())
        kept = 0.5 ** (max(timedelta(0), hour - (old.at or hour)) / _HALF_LIFE)
        fresh[model, slot] = Habit(old.used * kept + (model in active), old.seen * kept + 1, hour)
    return fresh


def plan(habits: Habits, coming: datetime, resident: Iterable[str], limit: int) -> tuple[Preload, ...]:
    """Models to load before the hour of `coming`, the surest first, at most `limit`."""
    slot, there = slot_of(coming), set(resident)
    likely = [
        Preload(model, habit.likelihood)
        for (model, when), habit in habits.items()
        if when == slot and model not in there and habit.likelihood >= _LIKELY
    ]
    return tuple(sorted(likely, key=lambda each: (-each.likelihood, each.model))[:limit])


def replay(hours: Sequence[tuple[datetime, frozenset[str]]], limit: int) -> Verdict:
    """Walks through recorded hours as the service would have: plan, look, learn. Nothing stays resident."""
    habits: Habits = {}
    known: set[str] = set()
    ahead = useful = uses = caught = 0
    for hour, used in hours:
        planned = {each.model for each in plan(habits, hour, (), limit)}
        ahead += len(planned)
        useful += len(planned & used)
        uses += len(used)
        caught += len(planned & used)
        known |= used
        habits = learn(habits, hour, used, known)
    return Verdict(ahead, useful, uses, caught)
