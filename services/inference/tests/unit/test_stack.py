import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weirworks_inference.core.stack import Stacking, stack, stacking_of, unstack
from weirworks_inference.core.types import BatchCard, Signature, TensorSpec

TEXT = Signature(
    (TensorSpec("ids", "INT64", ("batch", "tokens")), TensorSpec("mask", "INT64", ("batch", "tokens"))),
    (TensorSpec("hidden", "FP32", ("batch", "tokens", 4)), TensorSpec("pooled", "FP32", ("batch", 4))),
)
PADDED = BatchCard(32, 0.0, {"ids": 0, "mask": 0})


def how(signature: Signature = TEXT, card: BatchCard = PADDED) -> Stacking:
    stacking = stacking_of(signature, card)
    assert stacking is not None
    return stacking


def request(tag: int, rows: int, tokens: int) -> dict[str, np.ndarray]:
    return {"ids": np.full((rows, tokens), tag), "mask": np.ones((rows, tokens), np.int64)}


def echo(inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """As a model would: each token's vector is its id, each text's the sum over the tokens that are there."""
    hidden = np.repeat((inputs["ids"] * inputs["mask"])[:, :, None], 4, axis=2).astype(np.float32)
    return [hidden, hidden.sum(axis=1)]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 12)), min_size=1, max_size=6))
def test_no_answer_holds_a_neighbours_row(shapes: list[tuple[int, int]]) -> None:
    requests = [request(tag, rows, tokens) for tag, (rows, tokens) in enumerate(shapes, start=1)]
    together = stack(how(), requests)
    answers = unstack(how(), requests, ["hidden", "pooled"], echo(together))
    for tag, ((rows, tokens), (hidden, pooled)) in enumerate(zip(shapes, answers, strict=True), start=1):
        assert hidden.shape == (rows, tokens, 4)
        assert (hidden == tag).all()
        assert (pooled == tag * tokens).all()


def test_like_lengths_share_a_group_and_unlike_ones_do_not() -> None:
    groups = {length: how().group({"ids": (1, length), "mask": (1, length)}) for length in (9, 12, 13, 60)}
    assert groups[9] == groups[12]
    assert groups[12] != groups[13]
    assert groups[13] != groups[60]


def test_without_a_filler_only_exact_shapes_share() -> None:
    exact = how(card=BatchCard(32))
    assert exact.group({"ids": (1, 9), "mask": (1, 9)}) != exact.group({"ids": (1, 10), "mask": (1, 10)})


def test_a_dimension_that_one_input_does_not_fill_is_not_padded() -> None:
    assert how(card=BatchCard(32, 0.0, {"ids": 0})).elastic == frozenset()


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(
            Signature((TensorSpec("x", "FP32", (1, 3)),), (TensorSpec("y", "FP32", ("n",)),)), id="fixed rows"
        ),
        pytest.param(
            Signature((TensorSpec("x", "FP32", ("n", 3)),), (TensorSpec("y", "FP32", (3,)),)), id="output without rows"
        ),
        pytest.param(
            Signature((TensorSpec("x", "FP32", ("x.0", 3)),), (TensorSpec("y", "FP32", ("x.0",)),)), id="nameless rows"
        ),
        pytest.param(Signature((), (TensorSpec("y", "FP32", ("n",)),)), id="no inputs"),
        pytest.param(Signature((TensorSpec("x", "FP32", ()),), (TensorSpec("y", "FP32", ()),)), id="scalars"),
    ],
)
def test_a_model_without_rows_of_its_own_shares_no_runs(signature: Signature) -> None:
    assert stacking_of(signature, BatchCard(8)) is None
