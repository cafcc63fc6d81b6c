import io
import random

import numpy as np
import pytest
from PIL import Image
from weirworks_inference.core.types import ImageCard
from weirworks_inference.errors import InvalidImage
from weirworks_inference.images import decode, to_input
from weirworks_testkit.pictures import bomb, picture

CARD = ImageCard(8, (0, 0, 0), (255, 255, 255), {"en": ["a"]})
LIMITS = (1_000_000, 1_000_000)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_format_is_decoded(kind: str) -> None:
    tensor = to_input(decode(picture("red", kind=kind), 8, *LIMITS), CARD)
    assert tensor.shape == (1, 3, 8, 8)
    assert tensor.dtype == np.float32
    assert tensor[0, :, 4, 4] == pytest.approx([1, 0, 0], abs=0.02)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(Image.new("L", (9, 9), 128), [0.5, 0.5, 0.5], id="grey"),
        pytest.param(Image.new("RGBA", (9, 9), (255, 0, 0, 0)), [1, 1, 1], id="transparent is white"),
        pytest.param(Image.new("I;16", (9, 9), 65535), [1, 1, 1], id="16 bits"),
        pytest.param(Image.new("P", (9, 9), 0), [0, 0, 0], id="palette"),
        pytest.param(Image.new("1", (9, 9), 1), [1, 1, 1], id="one bit"),
    ],
)
def test_every_mode_becomes_rgb(image: Image.Image, expected: list[float]) -> None:
    tensor = to_input(decode(saved(image, "PNG"), 8, *LIMITS), CARD)
    assert tensor[0, :, 4, 4] == pytest.approx(expected, abs=0.02)


def test_cmyk_becomes_rgb() -> None:
    encoded = saved(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "JPEG")
    assert to_input(decode(encoded, 8, *LIMITS), CARD)[0, :, 4, 4] == pytest.approx([1, 0, 0], abs=0.1)


def test_a_turned_picture_is_set_upright() -> None:
    image = Image.new("RGB", (20, 10), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = decode(saved(image, "JPEG"), 8, *LIMITS)
    upright = decode(saved(image, "JPEG", exif=exif), 8, *LIMITS)
    assert upright.values.shape[:2] == lying.values.shape[1::-1]


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no picture", id="text"),
        pytest.param(picture()[:40], id="truncated png"),
        pytest.param(picture(kind="JPEG", size=(64, 64))[:300], id="truncated jpeg"),
        pytest.param(bomb(), id="bomb"),
        pytest.param(bomb(9_000, 9_000), id="bomb below Pillow's own limit"),
        pytest.param(picture(kind="GIF"), id="format that is not taken"),
        pytest.param(b"\0" * 1_000_001, id="too many bytes"),
    ],
)
def test_a_hostile_picture_is_refused(encoded: bytes) -> None:
    with pytest.raises(InvalidImage):
        decode(encoded, 8, *LIMITS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_mutated_pictures_are_decoded_or_refused(kind: str) -> None:
    chance = random.Random(kind)
    whole = picture("green", (40, 30), kind)
    for _ in range(300):
        mutant = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        try:
            decode(bytes(mutant[: chance.randint(1, len(mutant))]), 8, *LIMITS)
        except InvalidImage:
            continue
