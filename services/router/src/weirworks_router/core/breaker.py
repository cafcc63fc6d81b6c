"""When a backend that fails should rest: consecutive failures open it, time half-opens it.

After Nygard, "Release It!" (2007): closed, open, half-open. Half-open lets one call through; what
comes of it decides.
"""

from dataclasses import dataclass

_FAILURES_TO_OPEN = 3
_FIRST_REST, _LONGEST_REST = 1.0, 30.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """Consecutive failures, and until when the backend rests, on the monotonic clock."""

    failures: int = 0
    resting_until: float = 0.0

    def rests(self, now: float) -> bool:
        """True while it gets no work as long as something else can take it."""
        return now < self.resting_until

    def after_success(self) -> "Breaker":
        """Closed again."""
        return Breaker()

    def after_failure(self, now: float) -> "Breaker":
        """One failure more; from the third on it rests, each time twice as long."""
        failures = self.failures + 1
        if failures < _FAILURES_TO_OPEN:
            return Breaker(failures, self.resting_until)
        rest = min(_LONGEST_REST, _FIRST_REST * 2 ** (failures - _FAILURES_TO_OPEN))
        return Breaker(failures, now + rest)
