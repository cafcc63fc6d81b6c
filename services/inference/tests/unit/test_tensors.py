import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from weirworks_inference.tensors import DTYPES, TensorProblem, read_inputs, write_output
from weirworks_rpc.oip import messages

shapes = npst.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)
arrays = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda name: st.tuples(st.just(name), npst.arrays(DTYPES[name], shapes))
)


def read(request: messages.ModelInferRequest) -> dict[str, np.ndarray]:
    return read_inputs(request, request.raw_input_contents)


def request_of(response: messages.ModelInferResponse) -> messages.ModelInferRequest:
    request = messages.ModelInferRequest()
    for output in response.outputs:
        request.inputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
    request.raw_input_contents.extend(response.raw_output_contents)
    return request


@given(arrays)
def test_raw_contents_come_back_bit_by_bit(typed: tuple[str, np.ndarray]) -> None:
    datatype, array = typed
    response = messages.ModelInferResponse()
    write_output(response, "x", datatype, array)
    back = read(request_of(response))["x"]
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()
    assert back.shape == array.shape


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6))
def test_strings_come_back(values: list[bytes]) -> None:
    response = messages.ModelInferResponse()
    write_output(response, "x", "BYTES", np.array(values, dtype=object))
    assert list(read(request_of(response))["x"]) == values


@given(st.binary(max_size=64), st.integers(min_value=0, max_value=5))
def test_any_bytes_as_strings_are_read_or_refused(raw: bytes, count: int) -> None:
    request = messages.ModelInferRequest(raw_input_contents=[raw])
    request.inputs.add(name="x", datatype="BYTES", shape=[count])
    try:
        assert len(read(request)["x"]) == count
    except TensorProblem as problem:
        assert problem.problem[0] == "inputs[x].contents"


def test_typed_contents_are_read() -> None:
    request = messages.ModelInferRequest()
    tensor = request.inputs.add(name="x", datatype="FP32", shape=[2])
    tensor.contents.fp32_contents.extend([1.5, 2.5])
    assert read(request)["x"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("datatype", "shape", "raw", "field"),
    [
        pytest.param("FP32", [2], b"1234", "inputs[x].contents", id="too few bytes"),
        pytest.param("NOPE", [1], b"1234", "inputs[x].datatype", id="unknown datatype"),
        pytest.param("", [1], b"1234", "inputs[x].datatype", id="no datatype"),
    ],
)
def test_bytes_that_do_not_fit_are_named(datatype: str, shape: list[int], raw: bytes, field: str) -> None:
    request = messages.ModelInferRequest(raw_input_contents=[raw])
    request.inputs.add(name="x", datatype=datatype, shape=shape)
    with pytest.raises(TensorProblem) as caught:
        read(request)
    assert caught.value.problem[0] == field


def test_values_out_of_range_are_refused() -> None:
    request = messages.ModelInferRequest()
    tensor = request.inputs.add(name="x", datatype="INT8", shape=[1])
    tensor.contents.int_contents.append(1000)
    with pytest.raises(TensorProblem, match="out of range"):
        read(request)
