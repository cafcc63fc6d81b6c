"""The typed async client of the router."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Self

import grpc
from weirworks.inference.v1.image_pb2 import ClassifyImageRequest
from weirworks.inference.v1.text_pb2 import EmbedTextRequest
from weirworks.router.v1 import router_service_pb2 as service_pb2
from weirworks.router.v1.generate_pb2 import GenerateRequest, GenerateStreamRequest
from weirworks.router.v1.router_service_pb2_grpc import RouterServiceStub
from weirworks_rpc import error_from_rpc, headers, open_channel

from weirworks_client.answers import (
    Classes,
    Generated,
    Planned,
    Vectors,
    classes_of,
    generated_of,
    planned_of,
    vectors_of,
)

_TIMEOUT = timedelta(seconds=30)


class WeirClient:
    """One channel to a router. Every method raises `WeirError` with the router's code, reason and details."""

    def __init__(self, address: str, tenant: str | None = None, timeout: timedelta = _TIMEOUT) -> None:
        self._channel = open_channel(address)
        self._stub = RouterServiceStub(self._channel)
        self._tenant = tenant
        self._timeout = timeout.total_seconds()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()

    async def classify_image(
        self, image: bytes, *, model: str = "", top_k: int = 5, language: str = "en", skip_cache: bool = False
    ) -> Classes:
        """The classes of a JPEG, PNG, TIFF or WebP picture, best first."""
        inner = ClassifyImageRequest(image=image, model=model, top_k=top_k, label_language=language)
        request = service_pb2.ClassifyImageRequest(request=inner, skip_cache=skip_cache)
        return classes_of(await self._call(self._stub.ClassifyImage, request))

    async def embed_text(
        self,
        texts: Sequence[str],
        *,
        model: str = "",
        language: str = "",
        prefer_turkish: bool = False,
        skip_cache: bool = False,
    ) -> Vectors:
        """Unit vectors of 1 to 256 texts; without a model their language picks one."""
        inner = EmbedTextRequest(texts=texts, model=model, language=language, prefer_turkish=prefer_turkish)
        request = service_pb2.EmbedTextRequest(request=inner, skip_cache=skip_cache)
        return vectors_of(await self._call(self._stub.EmbedText, request))

    async def generate(
        self, prompt: str, *, system: str = "", max_output_tokens: int = 0, skip_cache: bool = False
    ) -> Generated:
        """A whole answer to a prompt."""
        request = _prompt(prompt, system, max_output_tokens, skip_cache)
        return generated_of(await self._call(self._stub.Generate, request))

    async def generate_stream(
        self, prompt: str, *, system: str = "", max_output_tokens: int = 0, skip_cache: bool = False
    ) -> AsyncIterator[str | Planned | Generated]:
        """The route, then pieces of text, then the summary, whose text is empty."""
        request = GenerateStreamRequest(request=_prompt(prompt, system, max_output_tokens, skip_cache))
        async with _weir_errors():
            call = self._stub.GenerateStream(request, timeout=self._timeout, metadata=headers(self._tenant))
            async for part in call:
                kind = part.WhichOneof("part")
                if kind == "text":
                    yield part.text
                elif kind == "route":
                    yield planned_of(part.route)
                elif kind == "summary":
                    yield generated_of(part.summary)

    async def explain_route(self, prompt: str) -> Planned:
        """Where a prompt would go now, and why; nothing is sent."""
        response = await self._call(self._stub.ExplainRoute, service_pb2.ExplainRouteRequest(prompt=prompt))
        return planned_of(response.route)

    async def list_backends(self) -> list[service_pb2.Backend]:
        """The inference endpoints and providers that the router knows."""
        backends: list[service_pb2.Backend] = []
        token = ""
        while True:
            request = service_pb2.ListBackendsRequest(page_token=token)
            response = await self._call(self._stub.ListBackends, request)
            backends += response.backends
            token = response.next_page_token
            if not token:
                return backends

    async def _call(self, method: Any, request: Any) -> Any:
        async with _weir_errors():
            return await method(request, timeout=self._timeout, metadata=headers(self._tenant))


@asynccontextmanager
async def _weir_errors() -> AsyncIterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise error_from_rpc(error) from error


def _prompt(prompt: str, system: str, max_output_tokens: int, skip_cache: bool) -> GenerateRequest:
    return GenerateRequest(
        prompt=prompt, system_prompt=system, max_output_tokens=max_output_tokens, skip_cache=skip_cache
    )
