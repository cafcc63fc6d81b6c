"""Which arm of an experiment a request belongs to: a pure hash, so that every replica agrees."""

from collections.abc import Sequence
from hashlib import sha256


def assigned(subject: str, arms: Sequence[str]) -> str:
    """The arm of a subject, each equally likely; the order of `arms` matters, so keep it."""
    number = int.from_bytes(sha256(subject.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    return arms[number % len(arms)]
