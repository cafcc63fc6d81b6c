"""From encoded pictures to a model's input: JPEG, PNG, TIFF, WebP; first frame of an animation."""

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from weirworks_inference.core.types import ImageCard
from weirworks_inference.errors import InvalidImage

_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")
# What Pillow's decoders were seen to raise on bytes that are not a whole picture.
_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    NotImplementedError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    # Raised instead of shown where warnings are errors; DecompressionBombWarning is a RuntimeWarning.
    UserWarning,
    Image.DecompressionBombWarning,
)


def decode(encoded: bytes, size: int, max_bytes: int, max_pixels: int) -> Image.Image:
    """An RGB picture, turned upright, at least `size` on its shorter side where the source is.

    A JPEG is decoded at the smallest of its own scales that is large enough. Raises InvalidImage.
    """
    if not encoded:
        raise InvalidImage("no bytes were given")
    if len(encoded) > max_bytes:
        raise InvalidImage(f"{len(encoded)} bytes given; at most {max_bytes} are taken")
    try:
        with Image.open(io.BytesIO(encoded), formats=_FORMATS) as picture:
            width, height = picture.size
            if width * height > max_pixels:
                raise InvalidImage(f"{width} × {height} pixels; at most {max_pixels} are decoded")
            picture.draft("RGB", (size, size))
            return _rgb(ImageOps.exif_transpose(picture))
    except _BROKEN:
        raise InvalidImage("the bytes are not a whole JPEG, PNG, TIFF or WebP picture") from None


def to_input(picture: Image.Image, card: ImageCard) -> NDArray[np.float32]:
    """float32 [1, 3, size, size]: scaled to cover the square, cut in its middle, normalised."""
    square = ImageOps.fit(picture, (card.size, card.size), Image.Resampling.BILINEAR)
    pixels = np.asarray(square, np.float32)
    normal = (pixels - np.array(card.mean, np.float32)) / np.array(card.std, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16") or picture.mode == "I":
        # Pillow would cut 16-bit values at 255; the high byte is the picture.
        values = np.asarray(picture).astype(np.int64)
        return Image.fromarray((values >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(ground, layer).convert("RGB")
    picture.load()
    return picture.convert("RGB")
