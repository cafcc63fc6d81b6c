"""CPU time of one picture of a megapixel on its way to a tensor."""

import io
import statistics
import time

import numpy as np
from PIL import Image
from weirworks_inference.core.types import ImageCard
from weirworks_inference.images import decode, to_input

_ROUNDS = 40


def picture_seconds() -> float:
    """Median of decode, resize and normalise for a JPEG of 1280 × 800."""
    encoded = _photograph()
    card = ImageCard(224, (127.0,) * 3, (128.0,) * 3, {"en": []})
    times = []
    for _ in range(_ROUNDS):
        begin = time.thread_time()
        to_input(decode(encoded, 224, 10**7, 10**8), card)
        times.append(time.thread_time() - begin)
    return statistics.median(times)


def _photograph() -> bytes:
    """Smooth shapes and some noise, as a camera gives."""
    chance = np.random.default_rng(1)
    small = Image.fromarray(chance.integers(0, 255, (100, 160, 3), np.uint8))
    shapes = small.resize((1280, 800), Image.Resampling.BICUBIC)
    noisy = np.asarray(shapes).astype(np.int16) + chance.normal(0, 6, (800, 1280, 1)).astype(np.int16)
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
