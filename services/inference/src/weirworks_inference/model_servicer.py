"""Our own calls: pictures, texts, and what the repository holds."""

import time
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from weirworks.inference.v1 import image_pb2, model_service_pb2, text_pb2
from weirworks_rpc import Call
from weirworks_rpc.requests import page_of

from weirworks_inference.convert import model_pb, parse_model_name, stage_pb
from weirworks_inference.core.probabilities import mean_pooled, top_classes
from weirworks_inference.core.types import ImageCard, Task
from weirworks_inference.engine import Engine
from weirworks_inference.images import decode, to_input
from weirworks_inference.repository import Loaded
from weirworks_inference.settings import InferenceSettings
from weirworks_inference.text import Tokens
from weirworks_inference.validate import check_classify, check_embed

# Activations of 32 texts of 256 tokens take about 100 MB; all 256 at once would take eight times that.
_TEXT_BATCH = 32


class ModelServicer:
    """Answers `weirworks.inference.v1.ModelService`."""

    def __init__(self, engine: Engine, settings: InferenceSettings) -> None:
        self._engine = engine
        self._settings = settings

    async def classify_image(
        self, request: image_pb2.ClassifyImageRequest, call: Call
    ) -> image_pb2.ClassifyImageResponse:
        check_classify(request)
        name = request.model or self._settings.image_model
        model, loaded = await self._engine.suitable(name, request.model_version, Task.CLASSIFY_IMAGE)
        card = loaded.card.image
        assert card is not None
        done = await self._engine.run(model, 1, call, lambda: self._classify(loaded, card, request))
        classes, stages = done.value
        language = request.label_language or "en"
        labels = card.labels.get(language) or card.labels["en"]
        return image_pb2.ClassifyImageResponse(
            classifications=[
                image_pb2.Classification(index=index, label=labels[index], probability=probability)
                for index, probability in classes
            ],
            model=model.name,
            model_version=model.version,
            stages=[stage_pb("queue", timedelta(seconds=done.waited)), *stages],
        )

    async def embed_text(self, request: text_pb2.EmbedTextRequest, call: Call) -> text_pb2.EmbedTextResponse:
        check_embed(request)
        name = request.model or self._settings.text_model
        model, loaded = await self._engine.suitable(name, request.model_version, Task.EMBED_TEXT)
        response = text_pb2.EmbedTextResponse(model=model.name, model_version=model.version)
        for start in range(0, len(request.texts), _TEXT_BATCH):
            texts = list(request.texts[start : start + _TEXT_BATCH])
            done = await self._engine.run(model, len(texts), call, lambda texts=texts: _embed(loaded, texts))  # type: ignore[misc]
            vectors, tokens = done.value
            for row, vector in enumerate(vectors):
                response.embeddings.add(
                    values=vector.tolist(), tokens=tokens.counts[row], truncated=tokens.truncated[row]
                )
        return response

    async def list_models(
        self, request: model_service_pb2.ListModelsRequest, _call: Call
    ) -> model_service_pb2.ListModelsResponse:
        models, token = page_of(self._engine.repository.models(), request.page_size, request.page_token)
        return model_service_pb2.ListModelsResponse(models=[model_pb(model) for model in models], next_page_token=token)

    async def get_model(
        self, request: model_service_pb2.GetModelRequest, _call: Call
    ) -> model_service_pb2.GetModelResponse:
        name, version = parse_model_name(request.name)
        return model_service_pb2.GetModelResponse(model=model_pb(self._engine.repository.find(name, version)))

    def _classify(
        self, loaded: Loaded, card: ImageCard, request: image_pb2.ClassifyImageRequest
    ) -> tuple[list[tuple[int, float]], list[image_pb2.StageTime]]:
        marks = [time.perf_counter()]
        limits = (self._settings.max_image_bytes, self._settings.max_image_pixels)
        picture = decode(request.image, card.size, *limits)
        marks.append(time.perf_counter())
        tensor = to_input(picture, card)
        marks.append(time.perf_counter())
        signature = loaded.session.signature
        (logits,) = loaded.session.run({signature.inputs[0].name: tensor}, [signature.outputs[0].name])
        marks.append(time.perf_counter())
        classes = top_classes(logits[0], request.top_k or 5)
        marks.append(time.perf_counter())
        names = ("decode", "preprocess", "run", "postprocess")
        spans = zip(names, marks, marks[1:], strict=False)
        return classes, [stage_pb(name, timedelta(seconds=end - begin)) for name, begin, end in spans]


def _embed(loaded: Loaded, texts: list[str]) -> tuple[NDArray[np.float32], Tokens]:
    assert loaded.encoder is not None
    tokens = loaded.encoder.encode(texts)
    inputs = {"input_ids": tokens.ids, "attention_mask": tokens.mask}
    (hidden,) = loaded.session.run(inputs, ["last_hidden_state"])
    return mean_pooled(hidden, tokens.mask), tokens
