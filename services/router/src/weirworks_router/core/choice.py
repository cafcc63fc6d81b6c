"""Which endpoint gets a request: the less loaded of two picked at random.

Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001): nearly as even as looking
at all of them, and no herd when many routers see the same stale figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint as the choice sees it."""

    address: str
    in_flight: int
    resting: bool


def choose(endpoints: Sequence[EndpointView], random: float) -> EndpointView | None:
    """The endpoint for a request; `random` is in [0, 1). Those that rest only when all do."""
    awake = [endpoint for endpoint in endpoints if not endpoint.resting] or list(endpoints)
    if not awake:
        return None
    if len(awake) == 1:
        return awake[0]
    pairs = len(awake) * (len(awake) - 1)
    first, second = divmod(int(random * pairs), len(awake) - 1)
    other = second if second < first else second + 1
    return min(awake[first], awake[other], key=lambda endpoint: endpoint.in_flight)
