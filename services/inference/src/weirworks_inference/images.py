"""From encoded pictures to a model's input: JPEG, PNG, TIFF, WebP; first frame of an animation.

Pillow judges every picture by its header and decodes the unusual ones. An ordinary JPEG, which is nearly every
picture, goes to libjpeg-turbo itself, which scales while it decodes; OpenCV's resize is five times as fast as
Pillow's.
"""

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from simplejpeg import decode_jpeg

from weirworks_inference.core.types import ImageCard, Resize
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


# EXIF's tag for how the camera was held; 1 and 0 are upright.
_ORIENTATION = 274
# One picture at a time on a lane; its threads would only take turns.
cv2.setNumThreads(1)


def decode(encoded: bytes, size: int, max_bytes: int, max_pixels: int) -> NDArray[np.uint8]:
    """uint8 [height, width, 3], red first: the picture upright, at least `size` on its shorter side if it was before.

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
            if _is_ordinary(picture):
                values = _decode_jpeg(encoded, size)
                if values is not None:
                    return values
            picture.draft("RGB", (size, size))
            return np.asarray(_rgb(ImageOps.exif_transpose(picture)))
    except _BROKEN:
        raise InvalidImage("the bytes are not a whole JPEG, PNG, TIFF or WebP picture") from None


def to_input(pixels: NDArray[np.uint8], card: ImageCard) -> NDArray[np.float32]:
    """float32 [1, channels, size, size], or channels last: brought to the model's square and normalised."""
    square: NDArray[Any] = _square(pixels, card)
    channels = len(card.mean)
    if channels == 1:
        square = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)[:, :, None]
    planes = np.empty((1, channels, card.size, card.size), np.float32)
    for channel in range(channels):
        source = square[:, :, channels - 1 - channel if card.bgr else channel]
        np.multiply(source, np.float32(1 / card.std[channel]), out=planes[0, channel])
        planes[0, channel] -= np.float32(card.mean[channel] / card.std[channel])
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)) if card.channels_last else planes


def _is_ordinary(picture: Image.Image) -> bool:
    """True for an upright JPEG of three channels."""
    return picture.format == "JPEG" and picture.mode == "RGB" and picture.getexif().get(_ORIENTATION, 1) in (0, 1)


def _decode_jpeg(encoded: bytes, size: int) -> NDArray[np.uint8] | None:
    """None for a file with the slightest fault: what can be shown of such a one is for Pillow to say."""
    try:
        return np.asarray(decode_jpeg(encoded, "RGB", min_height=size, min_width=size, min_factor=1, strict=True))
    except ValueError:
        return None


def _square(values: NDArray[np.uint8], card: ImageCard) -> NDArray[np.uint8]:
    height, width = values.shape[:2]
    if card.resize is Resize.COVER:
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return _scaled(values[top : top + side, left : left + side], card.size, card.size)
    if card.resize is Resize.STRETCH:
        return _scaled(values, card.size, card.size)
    scale = card.size / max(height, width)
    inner = _scaled(values, max(1, round(width * scale)), max(1, round(height * scale)))
    mean = card.mean if len(card.mean) == 3 else (*card.mean, *card.mean, *card.mean)
    ground = np.array(mean[::-1] if card.bgr else mean).round().clip(0, 255).astype(np.uint8)
    square = np.broadcast_to(ground, (card.size, card.size, 3)).copy()
    top, left = (card.size - inner.shape[0]) // 2, (card.size - inner.shape[1]) // 2
    square[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return square


def _scaled(values: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    # Two neighbours are all that is between two samples up to a scale of two; beyond, an area must be averaged.
    near = values.shape[0] <= 2 * height and values.shape[1] <= 2 * width
    method = cv2.INTER_LINEAR if near else cv2.INTER_AREA
    return np.asarray(cv2.resize(values, (width, height), interpolation=method), np.uint8)


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
