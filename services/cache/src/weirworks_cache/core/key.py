"""The key of an answer: a digest of everything that it depends on.

Frozen: a change here makes every stored answer unreachable, so the golden vectors in the tests must
never be edited; a new form gets a new version word. Each field is written as its length in 8 bytes,
little-endian, and its bytes, so that no two different requests have the same canonical bytes.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

_VERSION = b"weirworks.cache.key.v1"
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class KeyParts:
    """What an answer depends on."""

    tenant: str
    operation: str
    model: str
    model_version: str
    parameters: Mapping[str, str]
    input_digest: bytes


def canonical_bytes(parts: KeyParts) -> bytes:
    """The one byte string of these parts; parameters in the order of their names' bytes."""
    fields = [
        _VERSION,
        parts.tenant.encode(),
        parts.operation.encode(),
        parts.model.encode(),
        parts.model_version.encode(),
        parts.input_digest,
        _LENGTH.pack(len(parts.parameters)),
    ]
    for name, value in sorted((name.encode(), value.encode()) for name, value in parts.parameters.items()):
        fields += [name, value]
    return b"".join(_LENGTH.pack(len(field)) + field for field in fields)


def entry_key(parts: KeyParts) -> bytes:
    """32 bytes: SHA-256 of the canonical bytes."""
    return sha256(canonical_bytes(parts)).digest()
