"""Our own calls: pictures, texts, and the life of models."""

from collections.abc import AsyncIterator

from weirworks.inference.v1 import image_pb2, model_pb2, model_service_pb2, text_pb2
from weirworks_rpc import Call, WeirError
from weirworks_rpc.requests import page_of

from weirworks_inference.classifier import ImageClassifier
from weirworks_inference.convert import model_pb, parse_model_name
from weirworks_inference.core.residency import Reason
from weirworks_inference.embedding import TextEmbedder
from weirworks_inference.engine import Engine
from weirworks_inference.generation import TextGenerator
from weirworks_inference.health import Health
from weirworks_inference.model import Model
from weirworks_inference.validate import check_classify, check_embed, check_generate

_ALL = "models/-"


class ModelServicer:
    """Answers `weirworks.inference.v1.ModelService`."""

    def __init__(
        self,
        engine: Engine,
        classifier: ImageClassifier,
        embedder: TextEmbedder,
        generator: TextGenerator,
        health: Health,
    ) -> None:
        self._engine = engine
        self._classifier = classifier
        self._embedder = embedder
        self._generator = generator
        self._health = health

    async def classify_image(
        self, request: image_pb2.ClassifyImageRequest, call: Call
    ) -> image_pb2.ClassifyImageResponse:
        check_classify(request)
        return await self._classifier.classify(request, call)

    async def embed_text(self, request: text_pb2.EmbedTextRequest, call: Call) -> text_pb2.EmbedTextResponse:
        check_embed(request)
        return await self._embedder.embed(request, call)

    async def embed_text_stream(
        self, requests: AsyncIterator[text_pb2.EmbedTextStreamRequest], call: Call
    ) -> AsyncIterator[text_pb2.EmbedTextStreamResponse]:
        """One at a time: a caller who wants them side by side makes calls, which then share runs."""
        async for part in requests:
            try:
                response = await self.embed_text(part.request, call)
            except WeirError as error:
                yield text_pb2.EmbedTextStreamResponse(error=f"{error.reason_word}: {error.message}")
            else:
                yield text_pb2.EmbedTextStreamResponse(response=response)

    async def generate_text(
        self, request: text_pb2.GenerateTextRequest, call: Call
    ) -> AsyncIterator[text_pb2.GenerateTextResponse]:
        check_generate(request)
        async for piece in self._generator.generate(request, call):
            yield piece

    async def list_models(
        self, request: model_service_pb2.ListModelsRequest, _call: Call
    ) -> model_service_pb2.ListModelsResponse:
        self._engine.residents.look()
        models, token = page_of(self._engine.residents.shelf.models(), request.page_size, request.page_token)
        return model_service_pb2.ListModelsResponse(models=[self._pb(model) for model in models], next_page_token=token)

    async def get_model(
        self, request: model_service_pb2.GetModelRequest, _call: Call
    ) -> model_service_pb2.GetModelResponse:
        return model_service_pb2.GetModelResponse(model=self._pb(self._named(request.name)))

    async def load_model(
        self, request: model_service_pb2.LoadModelRequest, _call: Call
    ) -> model_service_pb2.LoadModelResponse:
        model = self._named(request.name)
        if request.reload and model.loaded is not None:
            await self._engine.residents.reload(model)
        else:
            await self._engine.residents.load_now(model)
        model.pinned = request.pin
        return model_service_pb2.LoadModelResponse(model=self._pb(model))

    async def unload_model(
        self, request: model_service_pb2.UnloadModelRequest, _call: Call
    ) -> model_service_pb2.UnloadModelResponse:
        residents = self._engine.residents
        models = residents.shelf.models() if request.name == _ALL else [self._named(request.name)]
        freed = 0
        gone = []
        for model in models:
            if model.loaded is not None or request.withdraw:
                freed += await residents.unload(model, Reason.OPERATOR, withdraw=request.withdraw)
                model.pinned = False
                gone.append(self._pb(model))
        return model_service_pb2.UnloadModelResponse(models=gone, freed_bytes=freed)

    async def clear_caches(
        self, _request: model_service_pb2.ClearCachesRequest, _call: Call
    ) -> model_service_pb2.ClearCachesResponse:
        embeddings, graphs = await self._health.clear_caches()
        return model_service_pb2.ClearCachesResponse(embeddings=embeddings, optimized_graphs=graphs)

    async def get_health_report(
        self, _request: model_service_pb2.GetHealthReportRequest, _call: Call
    ) -> model_service_pb2.GetHealthReportResponse:
        return self._health.report()

    def _named(self, name: str) -> Model:
        return self._engine.find(*parse_model_name(name))

    def _pb(self, model: Model) -> model_pb2.Model:
        self._engine.ledger.settle()
        return model_pb(model, is_default=self._engine.residents.shelf.current(model.name) is model)
