"""Real photos that ship in installed packages, with the class that each is known to be."""

import importlib.util
import io
import random
from dataclasses import dataclass
from pathlib import Path

from PIL import Image


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture, and the ImageNet classes of which one must come first."""

    name: str
    path: Path
    expected: frozenset[int]


def demo_photos() -> list[Photo]:
    """Six photos of scikit-learn and scikit-image."""
    sklearn = _package("sklearn") / "datasets" / "images"
    skimage = _package("skimage") / "data"
    return [
        Photo("cat", skimage / "chelsea.png", frozenset({281, 282, 285})),
        Photo("coffee", skimage / "coffee.png", frozenset({967})),
        Photo("flower", sklearn / "flower.jpg", frozenset({985})),
        Photo("china", sklearn / "china.jpg", frozenset({698})),
        Photo("motorcycle", skimage / "motorcycle_left.png", frozenset({665})),
        Photo("camera", skimage / "camera.png", frozenset({872})),
    ]


def crops(photos: list[Photo], count: int, seed: int) -> list[bytes]:
    """Small JPEGs cut from the photos at random places, each another picture."""
    chance = random.Random(seed)  # noqa: S311  (picks crops, guards nothing)
    sources = []
    for photo in photos:
        with Image.open(photo.path) as picture:
            sources.append(picture.convert("RGB"))
    made = []
    for number in range(count):
        source = sources[number % len(sources)]
        side = chance.randint(min(source.size) // 2, min(source.size))
        left, top = chance.randint(0, source.width - side), chance.randint(0, source.height - side)
        piece = source.crop((left, top, left + side, top + side)).resize((256, 256), Image.Resampling.BILINEAR)
        buffer = io.BytesIO()
        piece.save(buffer, "JPEG", quality=85)
        made.append(buffer.getvalue())
    return made


def unlike_any_other(jpeg: bytes, number: int) -> bytes:
    """The same picture with bytes after its end that no other request has, so that no cache knows it."""
    return jpeg + number.to_bytes(8, "big")


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the package {name} is not installed; run make setup")
    return Path(spec.submodule_search_locations[0])
