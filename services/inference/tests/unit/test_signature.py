import pytest
from weirworks_inference.core.signature import check_inputs, check_outputs
from weirworks_inference.core.types import Signature, TensorShape, TensorSpec

PAIR = Signature(
    (TensorSpec("ids", "INT64", ("batch", "tokens")), TensorSpec("mask", "INT64", ("batch", "tokens"))),
    (TensorSpec("out", "FP32", ("batch", 4)),),
)
IDS = TensorShape("ids", "INT64", (2, 5))
MASK = TensorShape("mask", "INT64", (2, 5))


def test_tensors_that_fit_have_no_problems() -> None:
    assert check_inputs(PAIR, [IDS, MASK], 100) == []


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        pytest.param([IDS], "inputs[mask]", "missing", id="missing input"),
        pytest.param([IDS, IDS, MASK], "inputs[ids]", "given twice", id="given twice"),
        pytest.param([IDS, MASK, TensorShape("x", "INT64", (1,))], "inputs[x]", "unknown input", id="unknown"),
        pytest.param(
            [IDS, TensorShape("mask", "FP32", (2, 5))], "inputs[mask].datatype", "must be INT64", id="wrong datatype"
        ),
        pytest.param([IDS, TensorShape("mask", "INT64", (2,))], "inputs[mask].shape", "[batch, tokens]", id="rank"),
        pytest.param(
            [IDS, TensorShape("mask", "INT64", (2, 6))], "inputs[mask].shape[1]", "'tokens' is 5", id="sizes disagree"
        ),
        pytest.param(
            [TensorShape("ids", "INT64", (0, 5)), TensorShape("mask", "INT64", (0, 5))],
            "inputs[ids].shape[0]",
            "at least 1",
            id="empty",
        ),
    ],
)
def test_every_mismatch_is_named(given: list[TensorShape], field: str, rule: str) -> None:
    problems = check_inputs(PAIR, given, 100)
    assert any(where == field and rule in why for where, why in problems), problems


def test_all_problems_come_at_once() -> None:
    wrong = [TensorShape("ids", "FP32", (2, 5, 1)), TensorShape("y", "FP32", (1,))]
    assert {field for field, _ in check_inputs(PAIR, wrong, 100)} == {
        "inputs[ids].datatype",
        "inputs[ids].shape",
        "inputs[y]",
        "inputs[mask]",
    }


def test_too_many_elements_are_refused() -> None:
    assert ("inputs", "20 elements; the model takes at most 19 in one request") in check_inputs(PAIR, [IDS, MASK], 19)


def test_an_unknown_output_is_named() -> None:
    assert check_outputs(PAIR, ["out", "z"])[0][0] == "outputs[z]"
