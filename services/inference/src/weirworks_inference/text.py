"""From texts to a model's input and from token vectors to embeddings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from weirworks_inference.core.types import TextCard
from weirworks_inference.runtime.protocol import LoadFailed


@dataclass(frozen=True, slots=True)
class Tokens:
    """A batch padded to its longest text; `counts` and `truncated` are by text."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    counts: list[int]
    truncated: list[bool]


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

    def encode(self, texts: list[str]) -> Tokens:
        """Token ids of all texts in one batch."""
        encodings = self._tokenizer.encode_batch(texts)
        counts = [len(encoding.ids) for encoding in encodings]
        ids = np.zeros((len(texts), max(counts)), np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : counts[row]] = encoding.ids
            mask[row, : counts[row]] = 1
        return Tokens(ids, mask, counts, [bool(encoding.overflowing) for encoding in encodings])
