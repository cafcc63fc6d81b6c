import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from weirworks_inference.core.probabilities import mean_pooled, top_classes

logits = npst.arrays(np.float32, st.integers(1, 40), elements=st.floats(-50, 50, width=32))


@given(logits)
def test_probabilities_sum_to_one_and_fall(values: np.ndarray) -> None:
    classes = top_classes(values, len(values))
    assert abs(sum(probability for _, probability in classes) - 1) < 1e-6
    assert [probability for _, probability in classes] == sorted((p for _, p in classes), reverse=True)


def test_padding_does_not_count_in_the_mean() -> None:
    hidden = np.array([[[1, 0], [0, 1], [9, 9]]], np.float32)
    vector = mean_pooled(hidden, np.array([[1, 1, 0]]))
    assert np.allclose(vector, [[2**-0.5, 2**-0.5]])
