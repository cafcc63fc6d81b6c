import pytest
from weirworks_observe.hashing import InputHasher


def test_tenants_with_the_same_input_have_different_hashes() -> None:
    hasher = InputHasher(b"s" * 32)
    assert hasher.hash("a", b"text") != hasher.hash("b", b"text")
    assert hasher.hash("a", b"text") == InputHasher(b"s" * 32).hash("a", b"text")


def test_another_secret_gives_another_hash() -> None:
    assert InputHasher(b"s" * 32).hash("a", b"x") != InputHasher(b"t" * 32).hash("a", b"x")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        InputHasher(b"short")
