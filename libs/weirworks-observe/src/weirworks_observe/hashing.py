"""Inputs as keyed hashes: events tell that two inputs were the same, never what they were."""

import hmac
from hashlib import sha256
from pathlib import Path


class InputHasher:
    """HMAC-SHA-256 under a key per tenant, derived from one secret (HKDF-Expand of RFC 5869, one block)."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError("the hash secret needs at least 32 bytes")
        self._secret = secret
        self._keys: dict[str, bytes] = {}

    @classmethod
    def from_file(cls, path: Path) -> "InputHasher":
        """Reads the secret; raises OSError or ValueError with what is wrong."""
        return cls(path.read_bytes())

    def hash(self, tenant: str, value: bytes) -> bytes:
        """32 bytes that only a holder of the secret can connect with `value`."""
        key = self._keys.get(tenant)
        if key is None:
            # Tenants come from callers: a bound keeps a stream of made-up names from filling memory.
            if len(self._keys) >= 10_000:
                self._keys.clear()
            key = hmac.digest(self._secret, b"weirworks.input.v1\0" + tenant.encode() + b"\1", sha256)
            self._keys[tenant] = key
        return hmac.digest(key, value, sha256)
