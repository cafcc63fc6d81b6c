"""Embeds texts: which model by their language, known vectors from the cache, the rest in batches of like length."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from weirworks.inference.v1.text_pb2 import EmbedTextRequest, EmbedTextResponse
from weirworks_rpc import Call

from weirworks_inference.core.language import ModelTable, table_choice
from weirworks_inference.core.probabilities import pooled
from weirworks_inference.core.types import Task, TensorShape, TextCard
from weirworks_inference.embeddings import EmbeddingCache, Origin, Vector
from weirworks_inference.engine import Engine, Tensors
from weirworks_inference.execution import Work
from weirworks_inference.instruments import Instruments
from weirworks_inference.lane import Done
from weirworks_inference.language import language_of
from weirworks_inference.model import Loaded, Model
from weirworks_inference.runtime.protocol import Array
from weirworks_inference.text import Tokens, padded

# Longer requests are tokenised beside the event loop.
_LONG = 4_000


@dataclass(frozen=True, slots=True)
class TextModels:
    """The model of each language, and that of all others."""

    table: Mapping[str, str]
    usual: str


class TextEmbedder:
    """Answers EmbedText, whole or as a stream of requests."""

    def __init__(self, engine: Engine, models: TextModels, cache: EmbeddingCache, instruments: Instruments) -> None:
        self._engine = engine
        self._models = models
        self._cache = cache
        self._instruments = instruments

    async def embed(self, request: EmbedTextRequest, call: Call) -> EmbedTextResponse:
        """Raises what a load, a line or a run raises; the request is checked."""
        texts = list(request.texts)
        languages = [request.language or language_of(text) for text in texts]
        name = request.model or table_choice(self._table(), languages, prefer_turkish=request.prefer_turkish)
        model, loaded = await self._engine.suitable(name, request.model_version, Task.EMBED_TEXT, call)
        vectors = await self._vectors(model, loaded, texts, call)
        response = EmbedTextResponse(model=model.name, model_version=model.version)
        for vector, language in zip(vectors, languages, strict=True):
            response.embeddings.add(
                values=vector.values.tolist(), tokens=vector.tokens, truncated=vector.truncated, language=language
            )
        return response

    def _table(self) -> ModelTable:
        """The table without models that this repository does not have."""
        there = self._engine.residents.shelf.names()
        return ModelTable({k: name for k, name in self._models.table.items() if name in there}, self._models.usual)

    async def _vectors(self, model: Model, loaded: Loaded, texts: list[str], call: Call) -> list[Vector]:
        origin = Origin(model.name, model.version, loaded.digest)
        found = await self._cache.look_up(origin, texts, call.tenant)
        missing = [position for position, vector in enumerate(found) if vector is None]
        self._instruments.embeddings.labels("cache").inc(len(texts) - len(missing))
        self._instruments.embeddings.labels("model").inc(len(missing))
        if missing:
            fresh = await self._run(model, loaded, [texts[position] for position in missing], call)
            for position, vector in zip(missing, fresh, strict=True):
                found[position] = vector
                self._cache.store(origin, texts[position], vector, call.tenant)
        return [vector for vector in found if vector is not None]

    async def _run(self, model: Model, loaded: Loaded, texts: list[str], call: Call) -> list[Vector]:
        encoder = loaded.encoder
        assert encoder is not None
        if sum(map(len, texts)) > _LONG:
            tokens = await self._engine.aside(lambda: encoder.encode(texts))
        else:
            tokens = encoder.encode(texts)
        # Like lengths beside each other, so that hardly any run pads.
        order = sorted(range(len(texts)), key=lambda position: len(tokens[position].ids))
        rows = max(1, loaded.card.batch.rows)
        parts = [order[start : start + rows] for start in range(0, len(order), rows)]
        runs = [self._part(model, loaded, [tokens[position] for position in part], call) for part in parts]
        vectors: list[Vector | None] = [None] * len(texts)
        for part, done in zip(parts, await asyncio.gather(*runs), strict=True):
            for row, position in enumerate(part):
                seen = tokens[position]
                vectors[position] = Vector(done.value[row], len(seen.ids), seen.truncated)
        return [vector for vector in vectors if vector is not None]

    async def _part(self, model: Model, loaded: Loaded, tokens: Sequence[Tokens], call: Call) -> Done:
        assert loaded.session is not None
        assert loaded.card.text is not None
        ids, mask = padded(list(tokens))
        inputs: dict[str, Array] = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        taken = {spec.name: inputs[spec.name] for spec in loaded.session.signature.inputs}
        shapes = [TensorShape(name, "INT64", array.shape) for name, array in taken.items()]
        output = loaded.session.signature.outputs[0].name
        finish = _Pooling(loaded.card.text, mask)
        size = sum(array.nbytes for array in taken.values())
        return await self._engine.run(model, loaded, Tensors(shapes, Work(taken, [output], finish), size), call)


@dataclass(frozen=True, slots=True)
class _Pooling:
    """One request's token vectors → its unit vectors, on the lane's thread."""

    card: TextCard
    mask: Array

    def __call__(self, outputs: list[Array]) -> Array:
        return pooled(np.asarray(outputs[0], np.float32), self.mask, self.card.pooling)
