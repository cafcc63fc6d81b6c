"""How hard a prompt is, 0 to 100, by words and form, in Turkish and English.

A prior, used before anything is learned. Words are compared without case and without diacritics, so
that İ/I/ı/i agree and Turkish typed on an English keyboard counts too; a listed stem matches every word
that begins with it, since Turkish inflects at the end (`röntgen` in `röntgeninde`).

Each group of words adds `ceiling × (1 − ½^hits)` points: the first hit says most, the fifth next to
nothing.
"""

import math
import re
import unicodedata

from weirworks_router.core.stems import STEMS
from weirworks_router.core.types import Complexity

_CEILINGS = {"medical": 40.0, "legal": 40.0, "reasoning": 40.0, "code": 45.0}
# 40 words are a paragraph: a prompt of that length has most of the points that length can give.
_LENGTH_CEILING, _LENGTH_SCALE = 20.0, 40.0
_STRUCTURE_CEILING = 15.0
_CODE_FORM = re.compile(r"```|[{};]\s*$|^\s*(def|class|import|SELECT|func|fn)\s", re.MULTILINE)
_LIST_FORM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.MULTILINE)
_WORD = re.compile(r"[\w-]+")


def complexity(prompt: str) -> Complexity:
    """The score of a prompt and the points of each feature that has any."""
    words = _WORD.findall(fold(prompt))
    features = {"length": _LENGTH_CEILING * (1 - math.exp(-len(words) / _LENGTH_SCALE))}
    for group, stems in STEMS.items():
        hits = len({stem for word in words for stem in stems if word.startswith(stem)})
        if group == "code" and _CODE_FORM.search(prompt):
            hits += 2
        features[group] = _CEILINGS[group] * (1 - 0.5**hits)
    marks = len(_LIST_FORM.findall(prompt)) + max(0, prompt.count("?") - 1) + prompt.count("\n\n")
    features["structure"] = _STRUCTURE_CEILING * (1 - 0.7**marks)
    known = {name: round(points, 2) for name, points in features.items() if points > 0}
    return Complexity(round(min(100.0, sum(features.values())), 2), known)


def fold(text: str) -> str:
    """Lower case without diacritics; İ, I, ı and i all become i."""
    lowered = text.replace("İ", "i").replace("I", "i").replace("ı", "i").lower()
    return "".join(mark for mark in unicodedata.normalize("NFD", lowered) if not unicodedata.combining(mark))
