"""Reads `card.toml`, the few lines that say what a model is for."""

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weirworks_inference.core.types import Card, ImageCard, Task, TextCard
from weirworks_inference.runtime.protocol import LoadFailed


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Image(_Strict):
    size: int = Field(ge=1, le=4096)
    resize: str = Field(pattern="^cover$")
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    labels: str = Field(pattern=r"^[\w.-]+$")


class _Text(_Strict):
    tokenizer: str = Field(pattern=r"^[\w.-]+$")
    max_tokens: int = Field(ge=3, le=100_000)
    pooling: str = Field(pattern="^mean$")


class _Card(_Strict):
    task: Task = Task.TENSOR
    max_elements: int = Field(16_777_216, ge=1)
    image: _Image | None = None
    text: _Text | None = None


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
    if (card.task is Task.CLASSIFY_IMAGE) != (card.image is not None):
        raise LoadFailed("card.toml: the section [image] belongs to task classify-image")
    if (card.task is Task.EMBED_TEXT) != (card.text is not None):
        raise LoadFailed("card.toml: the section [text] belongs to task embed-text")
    image = ImageCard(card.image.size, card.image.mean, card.image.std, labels) if card.image else None
    text = TextCard(card.text.tokenizer, card.text.max_tokens) if card.text else None
    return Card(card.task, card.max_elements, image, text)
