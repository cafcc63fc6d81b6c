"""Loads models before their usual hour (`core.foresight`), and keeps score of it.

Usage is counted by whole hours and kept in a file, so that a restart does not forget last week.
"""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from weirworks_rpc import WeirError

from weirworks_inference.core.foresight import Habit, Preload, Slot, learn, plan
from weirworks_inference.core.residency import Size
from weirworks_inference.instruments import Instruments
from weirworks_inference.residents import Residents

log = logging.getLogger(__name__)
_HOUR = timedelta(hours=1)
# Loads ahead begin this long before the hour.
_LEAD = timedelta(minutes=5)
_LOAD_TIME = timedelta(minutes=5)
_FORMAT = 1


@dataclass(slots=True)
class Score:
    """Models loaded ahead, and those of them that were used within the hour."""

    ahead: int = 0
    useful: int = 0

    @property
    def hit_rate(self) -> float:
        """0 to 1; 0 before anything was loaded ahead."""
        return self.useful / self.ahead if self.ahead else 0.0


class Preloading:
    """`turn` does what is due at a moment; the app calls it every few seconds."""

    def __init__(
        self, residents: Residents, instruments: Instruments, file: Path, limit: int, now: Callable[[], datetime]
    ) -> None:
        self._residents = residents
        self._instruments = instruments
        self._file = file
        self._limit = limit
        self._now = now
        self._hour = _whole(now())
        self._counts = self._look()
        self._planned: datetime | None = None
        # Hour → models loaded for it.
        self._ahead: dict[datetime, set[str]] = {}
        self._habits: dict[tuple[str, Slot], Habit] = _read(file)
        self.score = Score()

    async def turn(self) -> tuple[Preload, ...]:
        """Learns from an hour that ended, and loads what the coming one is likely to need; returns that."""
        now = self._now()
        if _whole(now) > self._hour:
            self._close_hour(_whole(now))
        coming = _whole(now) + _HOUR
        if self._limit < 1 or coming - now > _LEAD or self._planned == coming:
            return ()
        self._planned = coming
        shelf = self._residents.shelf
        resident = {model.name for model in shelf.models() if model.loaded is not None}
        wanted = plan(self._habits, coming, resident, self._limit)
        return tuple([each for each in wanted if await self._load(each, coming)])

    def _close_hour(self, begun: datetime) -> None:
        counts = self._look()
        used = {name for name, count in counts.items() if count > self._counts.get(name, 0)}
        for name in self._ahead.pop(self._hour, set()):
            outcome = "used" if name in used else "unused"
            self.score.ahead += 1
            self.score.useful += name in used
            self._instruments.preloads.labels(outcome).inc()
        known = {model for model, _ in self._habits} | used
        self._habits = learn(self._habits, self._hour, used, known)
        self._hour, self._counts = begun, counts
        _write(self._file, self._habits)

    async def _load(self, each: Preload, hour: datetime) -> bool:
        model = self._residents.shelf.default(each.model)
        if model is None:
            return False
        files = sum(size for _, _, size in model.stamp)
        if not self._residents.has_room(Size(files)):
            return False
        try:
            await self._residents.load(model, _LOAD_TIME)
        except WeirError as error:
            log.warning("load ahead failed", extra={"model": each.model, "reason": error.reason_word})
            return False
        model.load_reason = each.reason.value
        self._ahead.setdefault(hour, set()).add(each.model)
        log.info("loaded ahead", extra={"model": each.model, "likelihood": round(each.likelihood, 2)})
        return True

    def _look(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for model in self._residents.shelf.models():
            counts[model.name] = counts.get(model.name, 0) + model.statistics.success.count
        return counts


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _read(file: Path) -> dict[tuple[str, Slot], Habit]:
    try:
        content = json.loads(file.read_text("utf-8"))
        if content["format"] != _FORMAT:
            return {}
        return {
            (each["model"], Slot(each["hour"], each["weekend"])): Habit(
                each["used"], each["seen"], datetime.fromisoformat(each["at"]) if each["at"] else None
            )
            for each in content["habits"]
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError):
        log.warning("usage file cannot be read; beginning anew", extra={"file": file.name})
        return {}


def _write(file: Path, habits: dict[tuple[str, Slot], Habit]) -> None:
    content = {
        "format": _FORMAT,
        "habits": [
            {
                "model": model,
                "hour": slot.hour,
                "weekend": slot.weekend,
                "used": habit.used,
                "seen": habit.seen,
                "at": habit.at.isoformat() if habit.at else None,
            }
            for (model, slot), habit in habits.items()
        ],
    }
    fresh = file.with_suffix(f".{os.getpid()}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(content), "utf-8")
        fresh.rename(file)
    except OSError:
        log.warning("usage file cannot be written", extra={"file": file.name})
