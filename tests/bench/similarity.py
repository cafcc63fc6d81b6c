"""`python -m tests.bench.similarity PAIRS`: how well the text models rank pairs of texts, by source and language.

PAIRS is a file of JSON lines, gzipped or not, with `source`, `lang`, `q`, `c` and `hit` (1: the same meaning). Printed
are Spearman's rank correlation of the cosine with `hit` and the area under the curve: the chance that a pair of the
same meaning is nearer than one of another.
"""

import argparse
import gzip
import json
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from weirworks_inference.card import read_card
from weirworks_inference.core.probabilities import pooled
from weirworks_inference.text import TextEncoder, padded

from tests.bench.calls import ROOT

_ROWS = 64
Floats = NDArray[np.float64]


class Encoder:
    """A text model of the repository, alone."""

    def __init__(self, folder: Path, graph: str = "") -> None:
        card = read_card(folder)
        assert card.text is not None
        self._card = card.text
        self._encoder = TextEncoder(folder, card.text)
        path = folder / (graph or card.graph)
        self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def vectors(self, texts: list[str]) -> Floats:
        """Unit vectors [texts, width]."""
        parts = []
        for start in range(0, len(texts), _ROWS):
            ids, mask = padded(self._encoder.encode(texts[start : start + _ROWS]))
            output = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
            parts.append(pooled(output, mask, self._card.pooling))
        return np.concatenate(parts).astype(np.float64)


def spearman(left: Iterable[float], right: Iterable[float]) -> float:
    """Rank correlation; ties share their mean rank."""
    return float(np.corrcoef(_ranks(np.array(list(left))), _ranks(np.array(list(right))))[0, 1])


def area(scores: Floats, hits: NDArray[np.int64]) -> float:
    """Area under the curve."""
    ranks, positive = _ranks(scores) + 1, int(hits.sum())
    return float((ranks[hits == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(hits) - positive)))


def _ranks(values: Floats) -> Floats:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: Floats = (last - (count + 1) / 2)[place]
    return ranks


def _pairs(path: Path) -> list[dict[str, Any]]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in content.decode().splitlines()]


def main() -> int:
    """Prints a Markdown table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.similarity", description=__doc__)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--source", action="append", default=[], help="only pairs of this source; all otherwise")
    parser.add_argument("--most", type=int, default=2000, help="pairs of each source, the first of the file")
    arguments = parser.parse_args()
    minilm, use = ROOT / "models" / "minilm" / "1", ROOT / "models" / "use-multilingual" / "1"
    encoders = {
        "minilm": Encoder(minilm),
        "minilm, 8 bits": Encoder(minilm, "model.int8.onnx"),
        "use-multilingual": Encoder(use),
    }
    print("| source | language | pairs | model | Spearman | area under the curve |\n|---|---|---|---|---|---|")

    def key(pair: dict[str, Any]) -> tuple[str, str]:
        return pair["source"], pair["lang"]

    for (source, language), group in groupby(sorted(_pairs(arguments.pairs), key=key), key):
        pairs = list(group)[: arguments.most]
        if arguments.source and source not in arguments.source:
            continue
        hits = np.array([pair["hit"] for pair in pairs])
        if len(set(hits.tolist())) < 2:
            continue
        for name, encoder in encoders.items():
            questions, candidates = ([pair[side] for pair in pairs] for side in ("q", "c"))
            cosine = (encoder.vectors(questions) * encoder.vectors(candidates)).sum(axis=1)
            figures = f"{spearman(cosine, hits):.3f} | {area(cosine, hits):.3f}"
            print(f"| {source} | {language} | {len(pairs)} | {name} | {figures} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
