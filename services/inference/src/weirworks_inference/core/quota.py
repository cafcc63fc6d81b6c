"""A share of one core, as a container's CPU limit would give it.

The kernel's bandwidth control hands out `share × period` seconds of CPU time per period; a group that
has used its slice waits for the next. The same, spread evenly: time is earned at `share` per second, up
to one period's slice, and a run that overdraws waits until the account is even.
"""

from dataclasses import dataclass

PERIOD = 0.1


@dataclass(frozen=True, slots=True)
class Account:
    """CPU seconds left at a moment of the monotonic clock; negative when overdrawn."""

    left: float
    at: float


def behind(share: float, used: float, elapsed: float) -> float:
    """Seconds by which a start that used so much CPU is ahead of what its share allows."""
    return max(0.0, used / share - elapsed)


def opened(share: float, now: float) -> Account:
    """A full account."""
    return Account(share * PERIOD, now)


def charge(account: Account, share: float, used: float, now: float) -> tuple[Account, float]:
    """Earns since the last charge, takes `used`, and returns the account and the seconds to wait."""
    earned = min(share * PERIOD, account.left + share * (now - account.at))
    left = earned - used
    return Account(left, now), max(0.0, -left / share)
