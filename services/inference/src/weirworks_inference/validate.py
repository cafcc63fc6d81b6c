"""The rules of requests that a type cannot say; every violation is named at once."""

import re

from weirworks.inference.v1.image_pb2 import ClassifyImageRequest
from weirworks.inference.v1.text_pb2 import EmbedTextRequest, GenerateTextRequest
from weirworks_rpc import Violation
from weirworks_rpc.requests import refuse

_CODE = re.compile("[a-z]{2}")
_MAX_TEXTS = 256
_MAX_CHARACTERS = 20_000
_MAX_TOP_K = 100
_MAX_PROMPT = 100_000
_MAX_TOKENS = 4096


def check_classify(request: ClassifyImageRequest) -> None:
    """Raises InvalidFields. The picture itself is judged when it is decoded."""
    problems = []
    if request.top_k > _MAX_TOP_K:
        problems.append(Violation("top_k", f"{request.top_k} given; at most {_MAX_TOP_K}"))
    if request.label_language not in ("", "en", "tr"):
        problems.append(Violation("label_language", "must be 'en' or 'tr'"))
    refuse(problems)


def check_embed(request: EmbedTextRequest) -> None:
    """Raises InvalidFields."""
    problems = []
    if not 1 <= len(request.texts) <= _MAX_TEXTS:
        problems.append(Violation("texts", f"{len(request.texts)} given; 1 to {_MAX_TEXTS} are taken"))
    for position, text in enumerate(request.texts[:_MAX_TEXTS]):
        if not text.strip():
            problems.append(Violation(f"texts[{position}]", "must not be empty"))
        elif len(text) > _MAX_CHARACTERS:
            rule = f"{len(text)} characters given; at most {_MAX_CHARACTERS}"
            problems.append(Violation(f"texts[{position}]", rule))
    if request.language and not _CODE.fullmatch(request.language):
        problems.append(Violation("language", "must be a code of ISO 639-1 such as 'tr', or empty"))
    refuse(problems)


def check_generate(request: GenerateTextRequest) -> None:
    """Raises InvalidFields."""
    problems = []
    if not 1 <= len(request.prompt) <= _MAX_PROMPT:
        problems.append(Violation("prompt", f"{len(request.prompt)} characters given; 1 to {_MAX_PROMPT} are taken"))
    if request.max_tokens > _MAX_TOKENS:
        problems.append(Violation("max_tokens", f"{request.max_tokens} given; at most {_MAX_TOKENS}"))
    refuse(problems)
