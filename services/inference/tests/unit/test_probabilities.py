import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from weirworks_inference.core.probabilities import pooled, top_classes
from weirworks_inference.core.types import Pooling

logits = npst.arrays(np.float32, st.integers(1, 40), elements=st.floats(-50, 50, width=32))


@given(logits)
def test_probabilities_sum_to_one_and_fall(values: np.ndarray) -> None:
    classes = top_classes(values, len(values))
    assert abs(sum(probability for _, probability in classes) - 1) < 1e-6
    assert [probability for _, probability in classes] == sorted((p for _, p in classes), reverse=True)


def test_padding_does_not_count_in_the_mean() -> None:
    hidden = np.array([[[1, 0], [0, 1], [9, 9]]], np.float32)
    vector = pooled(hidden, np.array([[1, 1, 0]]), Pooling.MEAN)
    assert np.allclose(vector, [[2**-0.5, 2**-0.5]])


def test_the_first_token_or_the_graph_itself_can_give_the_vector() -> None:
    hidden = np.array([[[3, 4], [0, 1]]], np.float32)
    assert np.allclose(pooled(hidden, np.ones((1, 2), np.int64), Pooling.FIRST), [[0.6, 0.8]])
    assert np.allclose(pooled(hidden[:, 0], np.ones((1, 2), np.int64), Pooling.NONE), [[0.6, 0.8]])


def test_probabilities_of_the_graph_itself_are_left_alone() -> None:
    classes = top_classes(np.array([0.1, 0.7, 0.2], np.float32), 2, are_probabilities=True)
    assert [index for index, _ in classes] == [1, 2]
    assert classes[0][1] == pytest.approx(0.7)
