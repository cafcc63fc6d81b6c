"""Turns a SentencePiece unigram model into the JSON that the `tokenizers` library reads.

The file is a protobuf message of which three fields matter: pieces with their scores, and the table of the
normaliser. https://github.com/google/sentencepiece, sentencepiece_model.proto
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from struct import unpack
from typing import Any

# ModelProto: pieces 1, normalizer_spec 3; SentencePiece: piece 1, score 2; NormalizerSpec: precompiled_charsmap 2.
_PIECES, _NORMALIZER, _PIECE, _SCORE, _CHARSMAP = 1, 3, 1, 2, 2
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"


def tokenizer_json(path: Path, *, unknown: int = 0, begin: int = 1, end: int = 2) -> dict[str, Any]:
    """A tokenizer that puts `begin` before and `end` after the pieces of a text."""
    wire = path.read_bytes()
    vocabulary: list[tuple[str, float]] = []
    charsmap = b""
    for number, value in _fields(wire):
        if number == _PIECES:
            parts = dict(_fields(value))
            vocabulary.append((parts[_PIECE].decode(), unpack("<f", parts[_SCORE])[0] if _SCORE in parts else 0.0))
        elif number == _NORMALIZER:
            charsmap = dict(_fields(value)).get(_CHARSMAP, b"")
    first, last = vocabulary[begin][0], vocabulary[end][0]
    special = {name: {"id": name, "ids": [place], "tokens": [name]} for name, place in ((first, begin), (last, end))}
    single = [{"SpecialToken": {"id": first, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()},
                {"type": "Strip", "strip_left": True, "strip_right": True},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "always", "split": False},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [*single, {"SpecialToken": {"id": last, "type_id": 0}}],
            "pair": [*single, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": special,
        },
        "decoder": {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "always", "split": False},
        "model": {"type": "Unigram", "unk_id": unknown, "vocab": vocabulary, "byte_fallback": False},
    }


def _fields(wire: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of the fields of one level; numbers of the varint kind are skipped."""
    position = 0
    while position < len(wire):
        tag, position = _varint(wire, position)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _, position = _varint(wire, position)
            continue
        if kind == 2:
            size, position = _varint(wire, position)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind} in a SentencePiece model")
        yield number, wire[position : position + size]
        position += size


def _varint(wire: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = wire[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position
