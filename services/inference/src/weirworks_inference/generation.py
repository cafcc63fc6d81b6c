"""Continues prompts with a model of the repository; one job on the lane for each token, so that others run between."""

from collections.abc import AsyncIterator
from typing import Any

from weirworks.inference.v1.text_pb2 import GenerateTextRequest, GenerateTextResponse
from weirworks_rpc import Call

from weirworks_inference.core.types import Task
from weirworks_inference.engine import Engine

_USUAL_TOKENS = 256
# A character may be spread over several tokens; until it is whole it decodes to this.
_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"


class TextGenerator:
    """Answers GenerateText."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def generate(self, request: GenerateTextRequest, call: Call) -> AsyncIterator[GenerateTextResponse]:
        """Pieces as they come; a caller that leaves ends it before the next token."""
        model, loaded = await self._engine.suitable(request.model, request.model_version, Task.GENERATE_TEXT, call)
        generator, limit = loaded.generator, request.max_tokens or _USUAL_TOKENS
        assert generator is not None
        prompt = generator.encode(request.prompt)
        tokens: list[int] = []
        told = ""
        with model.in_use():
            stream: Any = (await self._engine.step(model, lambda: generator.start(prompt, limit), call)).value
            while True:
                token = (await self._engine.step(model, stream.next, call)).value
                if token is None:
                    break
                tokens.append(token)
                text = generator.decode(tokens)
                if text != told and not text.endswith(_INCOMPLETE):
                    yield GenerateTextResponse(text=text[len(told) :], tokens=len(tokens))
                    told = text
        rest = generator.decode(tokens)[len(told) :]
        yield GenerateTextResponse(text=rest, tokens=len(tokens), done=True, truncated=len(tokens) >= limit)
