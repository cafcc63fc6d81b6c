"""Anthropic's messages API."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from anthropic import APIConnectionError, APIError, APIStatusError, APITimeoutError, AsyncAnthropic, omit
from anthropic.types import MessageParam
from httpx2 import HTTPError

from weirworks_router.providers.protocol import Completion, Prompt, PromptRefused, ProviderFailed

_JUDGED = (400, 413, 422)


class AnthropicProvider:
    """One model; retries are the router's business, so the SDK does none."""

    def __init__(self, model: str, base_url: str | None, api_key: str) -> None:
        self._model = model
        self._client = AsyncAnthropic(api_key=api_key, base_url=base_url, max_retries=0)

    async def complete(self, prompt: Prompt, timeout: float) -> Completion:
        with _translated():
            answer = await self._client.messages.create(
                model=self._model,
                messages=_messages(prompt),
                system=prompt.system or omit,
                max_tokens=prompt.max_output_tokens,
                extra_body=_sampling(prompt),
                timeout=timeout,
            )
        text = "".join(block.text for block in answer.content if block.type == "text")
        return Completion(text, answer.usage.input_tokens, answer.usage.output_tokens)

    async def stream(self, prompt: Prompt, timeout: float) -> AsyncIterator[str | Completion]:
        with _translated():
            async with self._client.messages.stream(
                model=self._model,
                messages=_messages(prompt),
                system=prompt.system or omit,
                max_tokens=prompt.max_output_tokens,
                extra_body=_sampling(prompt),
                timeout=timeout,
            ) as stream:
                async for piece in stream.text_stream:
                    yield piece
                usage = (await stream.get_final_message()).usage
        yield Completion("", usage.input_tokens, usage.output_tokens)

    async def close(self) -> None:
        await self._client.close()


def _messages(prompt: Prompt) -> list[MessageParam]:
    return [{"role": "user", "content": prompt.text}]


def _sampling(prompt: Prompt) -> dict[str, float] | None:
    """The SDK has no parameter for the temperature any more; models that take one read it from the body."""
    return None if prompt.temperature is None else {"temperature": prompt.temperature}


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except APITimeoutError as error:
        raise ProviderFailed("Timeout") from error
    except APIConnectionError as error:
        raise ProviderFailed("Unreachable") from error
    except APIStatusError as error:
        if error.status_code in _JUDGED:
            raise PromptRefused(error.status_code) from error
        raise ProviderFailed(f"Http{error.status_code}") from error
    # The SDK lets the HTTP library's own errors through once a stream has begun.
    except (APIError, HTTPError) as error:
        raise ProviderFailed("BrokenAnswer") from error
