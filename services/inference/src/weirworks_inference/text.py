"""From texts to a model's input."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from weirworks_inference.core.types import TextCard
from weirworks_inference.runtime.protocol import LoadFailed


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of one text; `truncated` when its end was not seen."""

    ids: list[int]
    truncated: bool


class TextEncoder:
    """The tokenizer of one model."""

    def __init__(self, folder: Path, card: TextCard) -> None:
        """Raises LoadFailed when the file cannot be read."""
        try:
            self._tokenizer = Tokenizer.from_str((folder / card.tokenizer).read_text("utf-8"))
        # The binding raises plain Exception for a file that it cannot parse.
        except Exception as error:
            raise LoadFailed(f"{card.tokenizer} cannot be read") from error
        self._tokenizer.enable_truncation(card.max_tokens)
        self._tokenizer.no_padding()

    def encode(self, texts: list[str]) -> list[Tokens]:
        """Token ids of each text."""
        return [Tokens(encoding.ids, bool(encoding.overflowing)) for encoding in self._tokenizer.encode_batch(texts)]


def padded(texts: list[Tokens]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids and mask [texts, longest]; what is padding has mask 0."""
    ids = np.zeros((len(texts), max(len(text.ids) for text in texts)), np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text.ids)] = text.ids
        mask[row, : len(text.ids)] = 1
    return ids, mask
