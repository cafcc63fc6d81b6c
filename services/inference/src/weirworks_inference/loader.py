"""Reads a version's folder into memory: card, checksum, graph, tokenizer, warm-up. Blocks.

Loads have a thread of their own, one at a time, so that models in memory go on answering meanwhile.
"""

import functools
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weirworks_inference.card import read_card
from weirworks_inference.core.residency import ModelKey, Size
from weirworks_inference.core.types import Card, Signature, Task, TensorSpec
from weirworks_inference.execution import Execution
from weirworks_inference.host import give_back, prepare_heap, resident_bytes
from weirworks_inference.model import Loaded
from weirworks_inference.runtime.protocol import (
    Array,
    GeneratorRuntime,
    LoadFailed,
    RunFailed,
    Runtime,
    Session,
    Source,
)
from weirworks_inference.tensors import DTYPES
from weirworks_inference.text import TextEncoder

log = logging.getLogger(__name__)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Read:
    """What a load gave, what it holds and what it took."""

    loaded: Loaded
    size: Size
    seconds: float
    cpu_seconds: float


class Loader:
    """Loads from disk with one runtime for tensors and one for token streams."""

    def __init__(self, open_runtime: Callable[[], Runtime], generators: GeneratorRuntime) -> None:
        self._open_runtime = open_runtime
        self._generators = generators
        self._digests: dict[tuple[str, int, int], str] = {}

    @functools.cached_property
    def _runtime(self) -> Runtime:
        return self._open_runtime()

    def inspect(self, folder: Path) -> Source:
        """Card and checksum. Raises LoadFailed."""
        card = read_card(folder)
        graph = folder / card.graph
        try:
            stat = graph.stat()
            key = (str(graph), stat.st_mtime_ns, stat.st_size)
            if key not in self._digests:
                self._digests[key] = digest_of(graph)
        except OSError as error:
            raise LoadFailed(f"{card.graph} cannot be read") from error
        return Source(folder, card, graph, self._digests[key])

    def estimate(self, source: Source) -> Size:
        """What a load will hold, as far as its file says."""
        size = sum(path.stat().st_size for path in source.folder.iterdir() if path.suffix not in (".json", ".toml"))
        card = source.card
        graph = source.graph.stat().st_size if card.task is not Task.GENERATE_TEXT else size
        device = card.session.providers and card.session.providers[0] != "cpu"
        return Size(graph // 8, graph) if device else Size(graph)

    def read(self, key: ModelKey, source: Source) -> Read:
        """The model in memory, warmed up. Raises LoadFailed."""
        before, start, used = resident_bytes(), time.monotonic(), time.thread_time()
        card = source.card
        # Weights twice: as the file has them and as the kernels want them.
        prepare_heap(2 * self.estimate(source).host)
        if card.task is Task.GENERATE_TEXT:
            generator = self._generators.load(source)
            loaded = Loaded(card, generator.placement, source.digest, generator=generator)
        else:
            encoder = TextEncoder(source.folder, card.text) if card.text else None
            session = self._runtime.load(source)
            _fits_its_task(card, session.signature)
            outputs = _warm_up(key, session, card)
            _check_labels(card, outputs)
            execution = Execution(key, session, card)
            loaded = Loaded(card, session.placement, source.digest, session, execution, encoder)
        give_back()
        least = self.estimate(source)
        # Traffic beside the load blurs the measure; a model never takes less than its file, nor ten times that.
        grown = min(max(least.host, resident_bytes() - before), 10 * least.host + (64 << 20))
        seconds = time.monotonic() - start
        return Read(loaded, Size(grown, least.device), seconds, time.thread_time() - used)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _fits_its_task(card: Card, signature: Signature) -> None:
    """Raises LoadFailed when a picture or text model does not take what its card promises."""
    if card.task is Task.CLASSIFY_IMAGE and (len(signature.inputs), len(signature.outputs)) != (1, 1):
        raise LoadFailed("a picture model takes one tensor and gives one")
    if card.task is Task.EMBED_TEXT:
        names = {spec.name for spec in signature.inputs}
        if not {"input_ids", "attention_mask"} <= names or names - {"input_ids", "attention_mask", "token_type_ids"}:
            raise LoadFailed("a text model takes input_ids, attention_mask and at most token_type_ids")


def _warm_up(key: ModelKey, session: Session, card: Card) -> list[Array]:
    """Runs on zeros, so that the first caller does not pay for what a first run sets up; the last outputs."""
    inputs = {spec.name: _sample(spec, card) for spec in session.signature.inputs}
    wanted = [spec.name for spec in session.signature.outputs]
    outputs: list[Array] = []
    for _ in range(card.warm_up.runs):
        try:
            outputs = session.run(inputs, wanted)
        except RunFailed as error:
            # Some graphs take no zeros; a caller's values may be fine.
            log.info("warm-up refused", extra={"model": key[0], "version": key[1], "why": str(error)[:200]})
            break
    return outputs


def _check_labels(card: Card, outputs: list[Array]) -> None:
    """Raises LoadFailed when a picture model gives another number of classes than its labels name."""
    if card.image is None or not outputs:
        return
    classes, labels = outputs[0].shape[-1], len(card.image.labels["en"])
    if classes != labels:
        raise LoadFailed(f"the graph gives {classes} classes and the labels name {labels}")


def _sample(spec: TensorSpec, card: Card) -> Array:
    shape = tuple(size if isinstance(size, int) else card.warm_up.sizes.get(size, 1) for size in spec.shape)
    if spec.datatype == "BYTES":
        return np.full(shape, b"", dtype=object)
    dtype: np.dtype[Any] = DTYPES[spec.datatype]
    return np.zeros(tuple(max(1, size) for size in shape), dtype)
