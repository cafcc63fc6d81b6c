"""Answers `weirworks.router.v1.RouterService`: pictures, texts, routes."""

from collections.abc import AsyncIterator
from hashlib import sha256

from weirworks.inference.v1 import image_pb2, text_pb2
from weirworks.router.v1 import generate_pb2
from weirworks.router.v1 import router_service_pb2 as service_pb2
from weirworks_rpc import Call
from weirworks_rpc.requests import page_of

from weirworks_router.convert import entry_key, local_route_pb, plan_pb
from weirworks_router.fleet import Fleet
from weirworks_router.generation import Generation
from weirworks_router.journal import Record
from weirworks_router.local import Ask, LocalRoute
from weirworks_router.prompts import Prompts
from weirworks_router.settings import RouterSettings
from weirworks_router.validate import check_prompt

_INFERENCE = "/weirworks.inference.v1.ModelService"

# Stands for the model in records and keys where inference picks it.
_BY_LANGUAGE = "by-language"


class RouterServicer:
    """What callers need, at one address."""

    def __init__(
        self, local: LocalRoute, prompts: Prompts, generation: Generation, fleet: Fleet, settings: RouterSettings
    ) -> None:
        self._local = local
        self._prompts = prompts
        self._generation = generation
        self._fleet = fleet
        self._settings = settings

    async def generate(self, request: generate_pb2.GenerateRequest, call: Call) -> generate_pb2.GenerateResponse:
        return await self._prompts.generate(request, call)

    def generate_stream(
        self, request: generate_pb2.GenerateStreamRequest, call: Call
    ) -> AsyncIterator[generate_pb2.GenerateStreamResponse]:
        return self._prompts.stream(request.request, call)

    async def classify_image(
        self, request: service_pb2.ClassifyImageRequest, call: Call
    ) -> service_pb2.ClassifyImageResponse:
        inner = request.request
        inner.model = inner.model or self._settings.image_model
        digest = sha256(inner.image).digest()
        record = Record("classify-image", inner.model, digest)
        parameters = {"top_k": str(inner.top_k or 5), "label_language": inner.label_language or "en"}
        key = entry_key(record.operation, inner.model, inner.model_version, parameters, digest)
        cached = self._is_cached(record.operation) and not request.skip_cache
        ask = Ask(f"{_INFERENCE}/ClassifyImage", inner.SerializeToString(), record, key if cached else None)
        answer = await self._local.answer(ask, call)
        response = image_pb2.ClassifyImageResponse.FromString(answer.wire)
        return service_pb2.ClassifyImageResponse(response=response, route=local_route_pb(record), cached=answer.cached)

    async def embed_text(self, request: service_pb2.EmbedTextRequest, call: Call) -> service_pb2.EmbedTextResponse:
        inner = request.request
        inner.model = inner.model or self._settings.text_model
        # Deterministic for a message without maps and unknown fields, which EmbedTextRequest is here.
        texts = text_pb2.EmbedTextRequest(
            texts=inner.texts, language=inner.language, prefer_turkish=inner.prefer_turkish
        )
        digest = sha256(texts.SerializeToString(deterministic=True)).digest()
        record = Record("embed-text", inner.model or _BY_LANGUAGE, digest)
        key = entry_key(record.operation, inner.model or _BY_LANGUAGE, inner.model_version, {}, digest)
        cached = self._is_cached(record.operation) and not request.skip_cache
        ask = Ask(f"{_INFERENCE}/EmbedText", inner.SerializeToString(), record, key if cached else None)
        answer = await self._local.answer(ask, call)
        response = text_pb2.EmbedTextResponse.FromString(answer.wire)
        return service_pb2.EmbedTextResponse(response=response, route=local_route_pb(record), cached=answer.cached)

    async def explain_route(
        self, request: service_pb2.ExplainRouteRequest, call: Call
    ) -> service_pb2.ExplainRouteResponse:
        check_prompt(request.prompt)
        plan = self._generation.plan(request.prompt, call.tenant)
        return service_pb2.ExplainRouteResponse(route=plan_pb(plan))

    async def list_backends(
        self, request: service_pb2.ListBackendsRequest, _call: Call
    ) -> service_pb2.ListBackendsResponse:
        backends, token = page_of(self._backends(), request.page_size, request.page_token)
        return service_pb2.ListBackendsResponse(backends=backends, next_page_token=token)

    def _backends(self) -> list[service_pb2.Backend]:
        endpoints = [
            service_pb2.Backend(name=view.address, kind="inference", in_flight=view.in_flight, resting=view.resting)
            for view in (endpoint.view() for endpoint in self._fleet.endpoints())
        ]
        providers = [
            service_pb2.Backend(
                name=backend.name, kind="provider", in_flight=backend.in_flight, resting=backend.view().resting
            )
            for backend in sorted(self._generation.backends.values(), key=lambda each: each.name)
        ]
        return endpoints + providers

    def _is_cached(self, operation: str) -> bool:
        return operation in self._settings.cached
