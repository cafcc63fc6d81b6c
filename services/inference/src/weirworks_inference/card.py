"""Reads `card.toml`, the few lines that say what a model is for and how it runs."""

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weirworks_inference.core.types import (
    BatchCard,
    Card,
    ImageCard,
    Pooling,
    Resize,
    SessionCard,
    Task,
    TextCard,
    WarmUp,
)
from weirworks_inference.runtime.protocol import PROVIDERS, LoadFailed

_FILE = r"^[\w-][\w.-]*$"
# One run of 32 short texts costs 4 % less a text than one of 8; longer lines gain nothing (docs/benchmarks.md).
_TEXT_ROWS = 32


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Image(_Strict):
    size: int = Field(ge=1, le=4096)
    resize: Resize = Resize.COVER
    mean: tuple[float, ...]
    std: tuple[float, ...]
    labels: str = Field(pattern=_FILE)
    colors: str = Field("rgb", pattern="^(rgb|bgr|grey)$")
    layout: str = Field("nchw", pattern="^(nchw|nhwc)$")
    output: str = Field("logits", pattern="^(logits|probabilities)$")


class _Text(_Strict):
    tokenizer: str = Field(pattern=_FILE)
    max_tokens: int = Field(ge=3, le=100_000)
    pooling: Pooling
    languages: tuple[str, ...] = ()


class _Batch(_Strict):
    rows: int = Field(ge=1, le=4096)
    delay: float = Field(0.0, ge=0, le=1)
    pad: dict[str, float] = {}


class _Session(_Strict):
    providers: tuple[str, ...] = ()
    threads: int = Field(0, ge=0, le=256)
    io_binding: bool | None = None


class _WarmUp(_Strict):
    runs: int = Field(1, ge=0, le=100)
    sizes: dict[str, int] = {}


class _Card(_Strict):
    task: Task = Task.TENSOR
    graph: str = Field("model.onnx", pattern=_FILE)
    max_elements: int = Field(16_777_216, ge=1)
    image: _Image | None = None
    text: _Text | None = None
    batch: _Batch | None = None
    session: _Session = _Session()
    warm_up: _WarmUp = _WarmUp()


def read_card(folder: Path) -> Card:
    """The card of a version's folder; a model without one takes and gives tensors.

    Raises LoadFailed with the first thing that is wrong.
    """
    path = folder / "card.toml"
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
        card = _Card.model_validate(values)
        labels = json.loads((folder / card.image.labels).read_text("utf-8")) if card.image else {}
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise LoadFailed(f"card.toml: {where}: {problem['msg']}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise LoadFailed("card.toml or its labels cannot be read") from error
    _check(card, labels)
    return Card(
        task=card.task,
        max_elements=card.max_elements,
        graph=card.graph,
        image=_image(card.image, labels) if card.image else None,
        text=TextCard(card.text.tokenizer, card.text.max_tokens, card.text.pooling, card.text.languages)
        if card.text
        else None,
        batch=_batch(card),
        session=SessionCard(card.session.providers, card.session.threads, card.session.io_binding),
        warm_up=WarmUp(card.warm_up.runs, card.warm_up.sizes),
    )


def _check(card: _Card, labels: Any) -> None:
    if (card.task is Task.CLASSIFY_IMAGE) != (card.image is not None):
        raise LoadFailed("card.toml: the section [image] belongs to task classify-image")
    # A text generator tokenises too; how depends on its own files.
    if (card.task is Task.EMBED_TEXT) != (card.text is not None):
        raise LoadFailed("card.toml: the section [text] belongs to task embed-text")
    unknown = [name for name in card.session.providers if name not in PROVIDERS]
    if unknown:
        raise LoadFailed(f"card.toml: session.providers: {unknown[0]!r} is not one of {', '.join(PROVIDERS)}")
    if card.image is None:
        return
    channels = 1 if card.image.colors == "grey" else 3
    for name in ("mean", "std"):
        if len(getattr(card.image, name)) != channels:
            raise LoadFailed(f"card.toml: image.{name}: {channels} values are needed for {card.image.colors}")
    if 0.0 in card.image.std:
        raise LoadFailed("card.toml: image.std: must not be 0")
    if not isinstance(labels, dict) or not isinstance(labels.get("en"), list):
        raise LoadFailed(f'{card.image.labels}: must be {{"en": [...]}}, with other languages beside it')
    if len({len(each) for each in labels.values()}) != 1:
        raise LoadFailed(f"{card.image.labels}: every language needs a label for every class")


def _image(image: _Image, labels: dict[str, list[str]]) -> ImageCard:
    return ImageCard(
        size=image.size,
        mean=image.mean,
        std=image.std,
        labels=labels,
        resize=image.resize,
        bgr=image.colors == "bgr",
        channels_last=image.layout == "nhwc",
        gives_probabilities=image.output == "probabilities",
    )


def _batch(card: _Card) -> BatchCard:
    if card.batch is not None:
        return BatchCard(card.batch.rows, card.batch.delay, card.batch.pad)
    # On a CPU a batch of pictures gains 1.6 % and delays its first one; a batch of short texts gains a third.
    return BatchCard(_TEXT_ROWS) if card.task is Task.EMBED_TEXT else BatchCard()
