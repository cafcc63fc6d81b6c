"""Single flight: of those who miss the same key at once, one makes the answer and the rest wait.

The leader holds a token for a while. When it stores, gives the token back or lets it run out, the
waiters are told; where there is no answer the next of them becomes the leader.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Fill:
    """An answer that somebody is making."""

    token: str
    until: float


class Fills:
    """The answers that are being made now, by key."""

    def __init__(self, limit: int) -> None:
        self._fills: dict[bytes, Fill] = {}
        self._limit = limit

    def lead(self, key: bytes, token: str, now: float, patience: float) -> bool:
        """True when the caller is the leader now; False when another one is at it.

        Above the limit everybody leads: without single flight answers are made twice, but none is delayed.
        """
        held = self._fills.get(key)
        if held is not None and now < held.until:
            return False
        if held is None and len(self._fills) >= self._limit:
            return True
        self._fills[key] = Fill(token, now + patience)
        return True

    def remaining(self, key: bytes, now: float) -> float:
        """Seconds until the leader's token runs out; 0 without a leader."""
        held = self._fills.get(key)
        return max(0.0, held.until - now) if held else 0.0

    def end(self, key: bytes, token: str) -> bool:
        """Ends a fill; False when the token is not the leader's."""
        held = self._fills.get(key)
        if held is None or held.token != token:
            return False
        del self._fills[key]
        return True

    def drop(self, key: bytes) -> None:
        """Ends a fill whoever leads it: the answer is there."""
        self._fills.pop(key, None)

    def sweep(self, now: float) -> None:
        """Forgets the fills that ran out."""
        self._fills = {key: fill for key, fill in self._fills.items() if now < fill.until}
