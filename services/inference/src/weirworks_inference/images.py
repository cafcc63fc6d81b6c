"""From encoded pictures to a model's input: JPEG, PNG, TIFF, WebP; first frame of an animation.

Pillow judges every picture by its header and decodes the unusual ones. An ordinary JPEG, which is nearly every
picture, goes to OpenCV, whose decoder scales while it decodes and whose resize is five times as fast.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

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
_REDUCED = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    1: cv2.IMREAD_COLOR,
}
# One picture at a time on a lane; its threads would only take turns.
cv2.setNumThreads(1)


@dataclass(frozen=True, slots=True)
class Pixels:
    """uint8 [height, width, 3], red first or blue first."""

    values: NDArray[np.uint8]
    bgr: bool


def decode(encoded: bytes, size: int, max_bytes: int, max_pixels: int) -> Pixels:
    """The picture, turned upright, at least `size` on its shorter side where the source is.

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
            if _is_ordinary(picture, encoded):
                values = _decode_jpeg(encoded, min(width, height), size)
                if values is not None:
                    return Pixels(values, bgr=True)
            picture.draft("RGB", (size, size))
            return Pixels(np.asarray(_rgb(ImageOps.exif_transpose(picture))), bgr=False)
    except _BROKEN:
        raise InvalidImage("the bytes are not a whole JPEG, PNG, TIFF or WebP picture") from None


def to_input(pixels: Pixels, card: ImageCard) -> NDArray[np.float32]:
    """float32 [1, channels, size, size], or channels last: brought to the model's square and normalised."""
    square: NDArray[Any] = _square(pixels.values, card, pixels.bgr)
    channels = len(card.mean)
    if channels == 1:
        code = cv2.COLOR_BGR2GRAY if pixels.bgr else cv2.COLOR_RGB2GRAY
        square = cv2.cvtColor(square, code)[:, :, None]
    planes = np.empty((1, channels, card.size, card.size), np.float32)
    for channel in range(channels):
        # Channels of the picture and of the model may run in opposite order.
        source = square[:, :, channels - 1 - channel if pixels.bgr != card.bgr else channel]
        np.multiply(source, np.float32(1 / card.std[channel]), out=planes[0, channel])
        planes[0, channel] -= np.float32(card.mean[channel] / card.std[channel])
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)) if card.channels_last else planes


def _is_ordinary(picture: Image.Image, encoded: bytes) -> bool:
    """True for an upright three-channel JPEG that ends as it should; OpenCV fills a cut one up with grey."""
    return (
        picture.format == "JPEG"
        and picture.mode == "RGB"
        and encoded.rfind(b"\xff\xd9", -16) >= 0
        and picture.getexif().get(_ORIENTATION, 1) in (0, 1)
    )


def _decode_jpeg(encoded: bytes, shorter: int, size: int) -> NDArray[np.uint8] | None:
    scale = next(scale for scale in _REDUCED if scale == 1 or shorter // scale >= size)
    try:
        values: Any = cv2.imdecode(np.frombuffer(encoded, np.uint8), _REDUCED[scale] | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    return values if values is not None and values.ndim == 3 else None


def _square(values: NDArray[np.uint8], card: ImageCard, bgr: bool) -> NDArray[np.uint8]:
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
    ground = np.array(mean if bgr == card.bgr else mean[::-1]).round().clip(0, 255).astype(np.uint8)
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
