"""The same work with the libraries alone, in this process: what serving is compared with."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer
from weirworks_cli.demo.photos import demo_photos
from weirworks_inference.core.types import ImageCard
from weirworks_inference.images import decode, to_input

_CARD = ImageCard(224, (127.0,) * 3, (128.0,) * 3, {"en": []})


class Bare:
    """One thread, the same files, the same steps."""

    def __init__(self, models: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._image = onnxruntime.InferenceSession(str(models / "lite0/1/model.onnx"), options)
        self._text = onnxruntime.InferenceSession(str(models / "minilm/1/model.onnx"), options)
        self._tokenizer = Tokenizer.from_file(str(models / "minilm/1/tokenizer.json"))
        self.photo = next(photo for photo in demo_photos() if photo.name == "china").path.read_bytes()
        # 16 tokens with the two that the tokenizer adds.
        self.text = "a weir holds a river at its level however much water comes down"

    def classify(self, encoded: bytes) -> list[tuple[int, float]]:
        """Index and probability of the best five."""
        # Decoding and scaling are the service's own functions: they are not what is compared.
        tensor = to_input(decode(encoded, 224, 10**7, 10**8), _CARD)
        logits = self._image.run(None, {"image": tensor})[0][0]
        shifted = np.exp(logits - logits.max())
        order = np.argsort(-shifted)[:5]
        return [(int(index), float(shifted[index] / shifted.sum())) for index in order]

    def embed(self, text: str) -> NDArray[np.float32]:
        """The unit vector of a text."""
        ids = np.array([self._tokenizer.encode(text).ids], np.int64)
        hidden = self._text.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
        mean = hidden[0].mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)
