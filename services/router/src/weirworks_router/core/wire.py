"""Reads the top level of a protobuf message without parsing what is inside.

So the router sees a request's model and its tensors' bytes, and never a tensor. Protobuf bytes are not
canonical, so a digest goes over the fields that matter, not over the message.
https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

# ModelInferRequest: model_name 1, model_version 2, id 3; ModelInferResponse has its id at 3 too.
_MODEL, _VERSION, _ID = 1, 2, 3
_LENGTH_DELIMITED = 2


class NotAMessage(ValueError):
    """The bytes are not a protobuf message."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the top level: its number, where it begins, where its value lies."""

    number: int
    wire_type: int
    start: int
    value_start: int
    end: int


@dataclass(frozen=True, slots=True)
class InferHead:
    """What the router needs of a ModelInferRequest."""

    model: str
    version: str
    request_id: str
    digest: bytes


def fields(wire: bytes) -> Iterator[Field]:
    """The fields in the order of the bytes. Raises NotAMessage."""
    position = 0
    while position < len(wire):
        start = position
        tag, position = _varint(wire, position)
        number, wire_type = tag >> 3, tag & 7
        value_start = position
        if wire_type == 0:
            _, position = _varint(wire, position)
        elif wire_type == 1:
            position += 8
        elif wire_type == _LENGTH_DELIMITED:
            length, value_start = _varint(wire, position)
            position = value_start + length
        elif wire_type == 5:
            position += 4
        else:
            raise NotAMessage(f"wire type {wire_type}")
        if position > len(wire) or number == 0:
            raise NotAMessage("a field ends after the message")
        yield Field(number, wire_type, start, value_start, position)


def infer_head(wire: bytes) -> InferHead:
    """The head of a ModelInferRequest; the digest is of everything but model, version and id.

    Raises NotAMessage.
    """
    texts = {_MODEL: "", _VERSION: "", _ID: ""}
    digest = sha256()
    for field in fields(wire):
        if field.number in texts and field.wire_type == _LENGTH_DELIMITED:
            try:
                texts[field.number] = wire[field.value_start : field.end].decode()
            except UnicodeDecodeError:
                raise NotAMessage("text that is not UTF-8") from None
        else:
            digest.update(wire[field.start : field.end])
    return InferHead(texts[_MODEL], texts[_VERSION], texts[_ID], digest.digest())


def with_id(wire: bytes, request_id: str) -> bytes:
    """A ModelInferResponse with another request's id, as a cached answer needs it. Raises NotAMessage."""
    kept = b"".join(wire[field.start : field.end] for field in fields(wire) if field.number != _ID)
    if not request_id:
        return kept
    text = request_id.encode()
    return kept + bytes([_ID << 3 | _LENGTH_DELIMITED]) + _encoded(len(text)) + text


def _varint(wire: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(wire):
            raise NotAMessage("a number is cut")
        byte = wire[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise NotAMessage("a number is too long")


def _encoded(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
