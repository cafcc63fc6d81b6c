"""An entry as it lies in a store: version, times, checksum, value.

A store may lose or mangle bytes; an envelope that does not check is a miss, never a wrong answer.
"""

import struct
import zlib
from dataclasses import dataclass

_HEADER = struct.Struct("<BddI")
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored answer; times are seconds since the epoch."""

    value: bytes
    created: float
    expires: float

    def is_fresh(self, now: float) -> bool:
        """True while it may be served."""
        return now < self.expires


def seal(entry: Entry) -> bytes:
    """The bytes of an entry."""
    return _HEADER.pack(_VERSION, entry.created, entry.expires, zlib.crc32(entry.value)) + entry.value


def unseal(sealed: bytes) -> Entry | None:
    """The entry, or None when the bytes are not a whole one of this version."""
    if len(sealed) < _HEADER.size:
        return None
    version, created, expires, checksum = _HEADER.unpack_from(sealed)
    value = sealed[_HEADER.size :]
    if version != _VERSION or zlib.crc32(value) != checksum:
        return None
    return Entry(value, created, expires)
