"""OpenAI and every server that speaks its chat API."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from httpx2 import HTTPError
from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError, AsyncOpenAI, omit
from openai.types.chat import ChatCompletionMessageParam

from weirworks_router.providers.protocol import Completion, Prompt, PromptRefused, ProviderFailed

_JUDGED = (400, 413, 422)


class OpenAIProvider:
    """One model; retries are the router's business, so the SDK does none."""

    def __init__(self, model: str, base_url: str | None, api_key: str) -> None:
        self._model = model
        self._client = AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=0)

    async def complete(self, prompt: Prompt, timeout: float) -> Completion:
        with _translated():
            answer = await self._client.chat.completions.create(
                model=self._model,
                messages=_messages(prompt),
                max_completion_tokens=prompt.max_output_tokens,
                temperature=omit if prompt.temperature is None else prompt.temperature,
                timeout=timeout,
            )
        if not answer.choices:
            raise ProviderFailed("EmptyAnswer")
        usage = answer.usage
        text = answer.choices[0].message.content or ""
        return Completion(text, usage.prompt_tokens if usage else 0, usage.completion_tokens if usage else 0)

    async def stream(self, prompt: Prompt, timeout: float) -> AsyncIterator[str | Completion]:
        counts = (0, 0)
        with _translated():
            stream = await self._client.chat.completions.create(
                model=self._model,
                messages=_messages(prompt),
                max_completion_tokens=prompt.max_output_tokens,
                temperature=omit if prompt.temperature is None else prompt.temperature,
                timeout=timeout,
                stream=True,
                stream_options={"include_usage": True},
            )
            async with stream:
                async for chunk in stream:
                    if chunk.usage is not None:
                        counts = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                    if chunk.choices and (piece := chunk.choices[0].delta.content):
                        yield piece
        yield Completion("", *counts)

    async def close(self) -> None:
        await self._client.close()


def _messages(prompt: Prompt) -> list[ChatCompletionMessageParam]:
    system: list[ChatCompletionMessageParam] = [{"role": "system", "content": prompt.system}] if prompt.system else []
    return [*system, {"role": "user", "content": prompt.text}]


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
