"""A ModelInferRequest off the wire, with its tensors left where they lie.

protobuf copies a message's bytes when it decodes them and again when they are read. For a picture's tensor of 600 KB
that is a tenth of a small model's run, so the raw contents of a large message are found by its top-level fields and
only the rest is decoded. https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Sequence

from google.protobuf.message import DecodeError
from weirworks_rpc import InvalidFields, Violation
from weirworks_rpc.oip import messages

# ModelInferRequest.raw_input_contents, length-delimited.
_RAW = 7 << 3 | 2
# Below this, finding the fields costs more than two copies.
_LARGE = 64 * 1024

Contents = Sequence[bytes | memoryview]


def read_request(wire: bytes) -> tuple[messages.ModelInferRequest, Contents]:
    """The request and its raw contents. Raises InvalidFields for bytes that are no such message."""
    try:
        if len(wire) < _LARGE:
            request = messages.ModelInferRequest.FromString(wire)
            return request, request.raw_input_contents
        head, contents = _parted(memoryview(wire))
        return messages.ModelInferRequest.FromString(head), contents
    except (DecodeError, UnicodeDecodeError, IndexError):
        rule = f"the {len(wire)} bytes are not a inference.ModelInferRequest"
        raise InvalidFields([Violation("request", rule)]) from None


def _parted(wire: memoryview) -> tuple[bytes, list[memoryview]]:
    """Everything but the raw contents, and those. Raises DecodeError or IndexError."""
    rest: list[memoryview] = []
    contents: list[memoryview] = []
    position = 0
    while position < len(wire):
        start = position
        tag, position = _varint(wire, position)
        kind = tag & 7
        if kind == 2:
            length, begin = _varint(wire, position)
            position = begin + length
        elif kind == 0:
            _, position = _varint(wire, position)
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        else:
            raise DecodeError(f"wire type {kind}")
        if position > len(wire):
            raise DecodeError("a field ends after the message")
        if tag == _RAW:
            contents.append(wire[begin:position])
        else:
            rest.append(wire[start:position])
    return b"".join(rest), contents


def _varint(wire: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = wire[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise DecodeError("a number is too long")
