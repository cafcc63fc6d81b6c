import json
from pathlib import Path

import pytest
from weirworks_inference.card import read_card
from weirworks_inference.core.types import Pooling, Resize, Task
from weirworks_inference.runtime.protocol import LoadFailed

IMAGE = """
task = "classify-image"
[image]
size = 8
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
labels = "labels.json"
"""


def written(folder: Path, card: str, labels: object = None) -> Path:
    (folder / "card.toml").write_text(card)
    (folder / "labels.json").write_text(json.dumps({"en": ["a", "b"]} if labels is None else labels))
    return folder


def test_a_model_without_a_card_takes_tensors_one_request_at_a_time(tmp_path: Path) -> None:
    card = read_card(tmp_path)
    assert (card.task, card.batch.rows, card.graph) == (Task.TENSOR, 1, "model.onnx")


def test_pictures_run_alone_and_texts_together_unless_the_card_says_otherwise(tmp_path: Path) -> None:
    assert read_card(written(tmp_path, IMAGE)).batch.rows == 1
    assert read_card(written(tmp_path, IMAGE + "[batch]\nrows = 4")).batch.rows == 4
    text = 'task = "embed-text"\n[text]\ntokenizer = "t.json"\nmax_tokens = 8\npooling = "first"'
    card = read_card(written(tmp_path, text))
    assert card.batch.rows > 1
    assert card.text is not None
    assert card.text.pooling is Pooling.FIRST


def test_preprocessing_is_the_cards(tmp_path: Path) -> None:
    text = IMAGE.replace("size = 8", 'size = 8\nresize = "contain"\ncolors = "bgr"\nlayout = "nhwc"')
    image = read_card(written(tmp_path, text)).image
    assert image is not None
    assert (image.resize, image.bgr, image.channels_last) == (Resize.CONTAIN, True, True)


@pytest.mark.parametrize(
    ("card", "labels", "complaint"),
    [
        pytest.param("task = ", None, "cannot be read", id="no TOML"),
        pytest.param('task = "sing"', None, "task", id="unknown task"),
        pytest.param('colour = "red"', None, "colour", id="unknown key"),
        pytest.param('graph = "../x.onnx"', None, "graph", id="path as a file"),
        pytest.param('task = "classify-image"', None, "image", id="no image section"),
        pytest.param(IMAGE.replace("mean = [0.0, 0.0, 0.0]", "mean = [0.0]"), None, "mean", id="too few channels"),
        pytest.param(IMAGE.replace("std = [1.0", "std = [0.0"), None, "std", id="division by zero"),
        pytest.param(IMAGE, {"tr": ["a"]}, "en", id="no English labels"),
        pytest.param(IMAGE, {"en": ["a", "b"], "tr": ["a"]}, "every language", id="labels of unlike count"),
        pytest.param('[session]\nproviders = ["tpu"]', None, "tpu", id="unknown provider"),
        pytest.param("[batch]\nrows = 0", None, "rows", id="no rows"),
    ],
)
def test_what_is_wrong_with_a_card_is_named(tmp_path: Path, card: str, labels: object, complaint: str) -> None:
    with pytest.raises(LoadFailed, match=complaint):
        read_card(written(tmp_path, card, labels))
