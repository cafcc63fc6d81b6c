"""What the router asks of a provider."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt and its limits."""

    text: str
    system: str
    max_output_tokens: int
    temperature: float | None


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer; in a stream the last part, with its text empty."""

    text: str
    input_tokens: int
    output_tokens: int


class ProviderFailed(Exception):
    """The provider did not answer; another may. `outcome` is a word for attempts and metrics."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class PromptRefused(Exception):
    """The provider judged the prompt itself; asking another would only pass on what it refused."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class Provider(Protocol):
    """One model behind one API."""

    async def complete(self, prompt: Prompt, timeout: float) -> Completion:
        """The whole answer within `timeout` seconds. Raises ProviderFailed or PromptRefused."""

    def stream(self, prompt: Prompt, timeout: float) -> AsyncIterator[str | Completion]:
        """Pieces of text, then a Completion. Raises as `complete`, between pieces too."""

    async def close(self) -> None:
        """Gives its connections back."""
