from hypothesis import given
from hypothesis import strategies as st
from weirworks_cache.core.envelope import Entry, seal, unseal
from weirworks_cache.core.fills import Fills
from weirworks_cache.core.key import KeyParts, canonical_bytes, entry_key

texts = st.text(max_size=12)
parts = st.builds(
    KeyParts, texts, texts, texts, texts, st.dictionaries(texts, texts, max_size=4), st.binary(min_size=32, max_size=32)
)
# Frozen: never edit these; a new form of the key gets a new version word and new vectors.
GOLDEN = {
    "4bffc3d2491ab547675d103f874b437715fa0ccda101fb40de028262458b67bb": KeyParts(
        "default", "classify-image", "lite0", "", {"top_k": "3", "label_language": "en"}, bytes(32)
    ),
    "fc253e60fb57da51a03d6aa822c216fc106ea5824d51cd5fd4339397533b8ebf": KeyParts(
        "acme", "generate", "", "", {}, b"\xff" * 32
    ),
}


def test_golden_keys_never_change() -> None:
    assert {entry_key(each).hex(): each for each in GOLDEN.values()} == GOLDEN


@given(parts, parts)
def test_different_parts_have_different_bytes(one: KeyParts, other: KeyParts) -> None:
    assert (canonical_bytes(one) == canonical_bytes(other)) == (one == other)


@given(st.dictionaries(texts, texts, min_size=2, max_size=5))
def test_the_order_of_parameters_does_not_matter(parameters: dict[str, str]) -> None:
    backwards = dict(reversed(parameters.items()))
    assert entry_key(KeyParts("t", "o", "m", "1", parameters, bytes(32))) == entry_key(
        KeyParts("t", "o", "m", "1", backwards, bytes(32))
    )


@given(st.binary(max_size=200), st.floats(0, 2e9), st.floats(0, 2e9))
def test_a_sealed_entry_opens_again(value: bytes, created: float, expires: float) -> None:
    entry = Entry(value, created, expires)
    assert unseal(seal(entry)) == entry


@given(st.binary(min_size=1, max_size=80), st.integers(0, 100), st.integers(1, 255))
def test_a_mangled_value_is_a_miss(value: bytes, place: int, change: int) -> None:
    sealed = bytearray(seal(Entry(value, 1.0, 2.0)))
    place = len(sealed) - 1 - place % len(value)
    sealed[place] ^= change
    assert unseal(bytes(sealed)) is None
    assert unseal(bytes(sealed[:10])) is None


def test_one_leads_and_the_rest_wait_until_it_ends_or_its_time_is_over() -> None:
    fills = Fills(limit=10)
    assert fills.lead(b"k", "first", now=0.0, patience=10)
    assert not fills.lead(b"k", "second", now=5.0, patience=10)
    assert fills.remaining(b"k", now=5.0) == 5.0
    assert not fills.end(b"k", "second")
    assert fills.end(b"k", "first")
    assert fills.lead(b"k", "third", now=6.0, patience=10)
    assert fills.lead(b"k", "fourth", now=16.1, patience=10)


def test_above_the_limit_everybody_leads() -> None:
    fills = Fills(limit=1)
    assert fills.lead(b"a", "1", 0.0, 10)
    assert fills.lead(b"b", "2", 0.0, 10)
    assert fills.lead(b"b", "3", 0.0, 10)
    fills.sweep(11.0)
    assert fills.lead(b"b", "4", 11.0, 10)
    assert not fills.lead(b"b", "5", 11.0, 10)
