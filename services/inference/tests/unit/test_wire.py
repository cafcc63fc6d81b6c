import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weirworks_inference.wire import read_request
from weirworks_rpc import InvalidFields
from weirworks_rpc.oip import messages
from weirworks_testkit.calls import tensor_request

LARGE = tensor_request("model", x=np.arange(40_000, dtype=np.float32), y=np.ones(3, np.float32))


SMALL = tensor_request("model", x=np.ones(2, np.float32))


@pytest.mark.parametrize("request_", [pytest.param(LARGE, id="large"), pytest.param(SMALL, id="small")])
def test_head_and_contents_are_those_of_the_message(request_: messages.ModelInferRequest) -> None:
    head, contents = read_request(request_.SerializeToString())
    assert [bytes(each) for each in contents] == list(request_.raw_input_contents)
    del head.raw_input_contents[:]
    bare = type(request_)()
    bare.CopyFrom(request_)
    del bare.raw_input_contents[:]
    assert head == bare


@given(st.lists(st.tuples(st.integers(0, 70_000), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 9))
def test_large_bytes_that_were_touched_are_read_or_refused(touches: list[tuple[int, int]], cut: int) -> None:
    wire = bytearray(LARGE.SerializeToString())
    for place, value in touches:
        wire[place] = value
    try:
        read_request(bytes(wire[: len(wire) - cut]))
    except InvalidFields as error:
        assert "are not a inference.ModelInferRequest" in error.message
