"""The providers of the settings, each with its breaker and its measured latency."""

import time
from dataclasses import dataclass, field

from weirworks_router.core.breaker import Breaker
from weirworks_router.core.types import BackendView, Price
from weirworks_router.providers.anthropic import AnthropicProvider
from weirworks_router.providers.openai import OpenAIProvider
from weirworks_router.providers.protocol import Provider
from weirworks_router.settings import BackendSettings

# A language model's answer takes about this long; replaced by the first measured one.
_PRIOR_LATENCY = 2.0
_WEIGHT = 0.2


@dataclass(slots=True)
class Backend:
    """One provider and what happened lately."""

    name: str
    provider: Provider
    price: Price
    timeout: float
    breaker: Breaker = field(default_factory=Breaker)
    latency: float | None = None
    in_flight: int = 0

    def view(self) -> BackendView:
        """The backend as the plan sees it."""
        resting = self.breaker.rests(time.monotonic())
        return BackendView(self.name, self.price, self.latency or _PRIOR_LATENCY, resting)

    def succeeded(self, seconds: float) -> None:
        """Counts an answer."""
        self.breaker = self.breaker.after_success()
        self.latency = seconds if self.latency is None else self.latency + _WEIGHT * (seconds - self.latency)

    def failed(self) -> None:
        """Counts a failure."""
        self.breaker = self.breaker.after_failure(time.monotonic())


def open_backends(settings: list[BackendSettings]) -> dict[str, Backend]:
    """Name → backend, in the order of the settings."""
    return {each.name: Backend(each.name, _open(each), each.price, each.timeout.total_seconds()) for each in settings}


def _open(settings: BackendSettings) -> Provider:
    key = settings.api_key().get_secret_value()
    kind = OpenAIProvider if settings.api == "openai" else AnthropicProvider
    return kind(settings.model, settings.base_url, key)
