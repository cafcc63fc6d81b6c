"""Classifies pictures: decode and normalise on the lane, run, rank, and tell where the time went."""

import time
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from weirworks.inference.v1.image_pb2 import Classification, ClassifyImageRequest, ClassifyImageResponse
from weirworks_rpc import Call

from weirworks_inference.convert import stage_pb
from weirworks_inference.core.probabilities import top_classes
from weirworks_inference.core.types import ImageCard, Task, TensorShape
from weirworks_inference.engine import Engine, Tensors
from weirworks_inference.execution import Work
from weirworks_inference.model import Loaded
from weirworks_inference.runtime.protocol import Array

_USUAL_COUNT = 5


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Encoded bytes and decoded pixels of the largest picture that is taken."""

    max_bytes: int
    max_pixels: int


class ImageClassifier:
    """Answers ClassifyImage."""

    def __init__(self, engine: Engine, usual_model: str, limits: ImageLimits) -> None:
        self._engine = engine
        self._usual_model = usual_model
        self._limits = limits

    async def classify(self, request: ClassifyImageRequest, call: Call) -> ClassifyImageResponse:
        """Raises InvalidImage and what a load, a line or a run raises; the request is checked."""
        name = request.model or self._usual_model
        model, loaded = await self._engine.suitable(name, request.model_version, Task.CLASSIFY_IMAGE, call)
        assert loaded.session is not None
        assert loaded.card.image is not None
        picture = _Picture(loaded, loaded.card.image, request, self._limits)
        if loaded.placement.on_device:
            # Decoding would hold up the device; on the CPU it would only move to another thread.
            prepared = await self._engine.aside(picture.prepare)
            work = Work(prepared, [picture.output], picture.finish)
        else:
            work = Work(picture.prepare, [picture.output], picture.finish)
        tensors = Tensors([picture.shape], work, len(request.image))
        done = await self._engine.run(model, loaded, tensors, call)
        labels = loaded.card.image.labels.get(request.label_language or "en") or loaded.card.image.labels["en"]
        stages = [("queue", done.waited), *picture.stages, ("run", done.batch.run), ("postprocess", done.batch.finish)]
        return ClassifyImageResponse(
            classifications=[
                Classification(index=index, label=labels[index], probability=probability)
                for index, probability in done.value
            ],
            model=model.name,
            model_version=model.version,
            stages=[stage_pb(stage, timedelta(seconds=seconds)) for stage, seconds in stages],
        )


@dataclass(slots=True)
class _Picture:
    """One picture on its way; `prepare` and `finish` run on the lane's thread."""

    loaded: Loaded
    card: ImageCard
    request: ClassifyImageRequest
    limits: ImageLimits
    stages: list[tuple[str, float]] = field(default_factory=list)

    @property
    def output(self) -> str:
        assert self.loaded.session is not None
        return self.loaded.session.signature.outputs[0].name

    @property
    def input(self) -> str:
        assert self.loaded.session is not None
        return self.loaded.session.signature.inputs[0].name

    @property
    def shape(self) -> TensorShape:
        size, channels = self.card.size, len(self.card.mean)
        shape = (1, size, size, channels) if self.card.channels_last else (1, channels, size, size)
        return TensorShape(self.input, "FP32", shape)

    def prepare(self) -> dict[str, Array]:
        # OpenCV takes 0.2 s and 30 MB, which a service without pictures need not spend.
        from weirworks_inference.images import decode, to_input

        start = time.perf_counter()
        pixels = decode(self.request.image, self.card.size, self.limits.max_bytes, self.limits.max_pixels)
        decoded = time.perf_counter()
        tensor = to_input(pixels, self.card)
        self.stages += [("decode", decoded - start), ("preprocess", time.perf_counter() - decoded)]
        return {self.input: tensor}

    def finish(self, outputs: list[Array]) -> list[tuple[int, float]]:
        scores = np.asarray(outputs[0][0], np.float32)
        return top_classes(scores, self.request.top_k or _USUAL_COUNT, are_probabilities=self.card.gives_probabilities)
