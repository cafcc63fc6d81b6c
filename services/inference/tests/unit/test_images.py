import io
import random

import numpy as np
import pytest
from PIL import Image, ImageOps
from weirworks_inference.core.types import ImageCard, Resize
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


_LEFT, _RIGHT = (np.full((40, 60, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
HALVES = Image.fromarray(np.concatenate([_LEFT, _RIGHT], axis=1))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("card", "corner"),
    [
        pytest.param({}, [1, 0, 0], id="cover cuts the sides"),
        pytest.param({"resize": Resize.STRETCH}, [1, 0, 0], id="stretch keeps all"),
        pytest.param({"resize": Resize.CONTAIN}, [0, 0, 0], id="contain fills with the mean"),
        pytest.param({"bgr": True}, [0, 0, 1], id="blue first"),
    ],
)
def test_the_card_says_how_a_picture_meets_the_square(kind: str, card: dict[str, object], corner: list[float]) -> None:
    fields = ImageCard(8, (0, 0, 0), (255, 255, 255), {"en": ["a"]}, **card)  # type: ignore[arg-type]
    tensor = to_input(decode(saved(HALVES, kind), 8, *LIMITS), fields)
    assert tensor.shape == (1, 3, 8, 8)
    assert tensor[0, :, 0, 0] == pytest.approx(corner, abs=0.05)


def test_grey_models_and_channels_last_are_served() -> None:
    grey = ImageCard(8, (0.0,), (255.0,), {"en": ["a"]})
    assert to_input(decode(picture("white"), 8, *LIMITS), grey).shape == (1, 1, 8, 8)
    last = ImageCard(8, (0, 0, 0), (255, 255, 255), {"en": ["a"]}, channels_last=True)
    tensor = to_input(decode(picture("red"), 8, *LIMITS), last)
    assert tensor.shape == (1, 8, 8, 3)
    assert tensor[0, 4, 4] == pytest.approx([1, 0, 0], abs=0.02)


def test_an_animation_shows_its_first_frame() -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    encoded = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert to_input(decode(encoded, 8, *LIMITS), CARD)[0, :, 4, 4] == pytest.approx([1, 0, 0], abs=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_way_to_hold_a_camera_is_set_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = saved(HALVES, "JPEG", exif=exif, quality=95)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(encoded))).resize((16, 16))).astype(int)
    ours = decode(encoded, 8, *LIMITS)
    scaled = np.asarray(Image.fromarray(ours).resize((16, 16))).astype(int)
    assert np.abs(scaled - upright).mean() < 10
