import pytest
from hypothesis import given
from hypothesis import strategies as st
from weirworks_router.core.wire import NotAMessage, fields, infer_head, with_id
from weirworks_rpc.oip import messages

names = st.text(max_size=30)


@st.composite
def requests(draw: st.DrawFn) -> messages.ModelInferRequest:
    request = messages.ModelInferRequest(model_name=draw(names), model_version=draw(names), id=draw(names))
    for name in draw(st.lists(names, max_size=3)):
        request.inputs.add(name=name, datatype="FP32", shape=draw(st.lists(st.integers(0, 9), max_size=3)))
        request.raw_input_contents.append(draw(st.binary(max_size=50)))
    return request


@given(requests())
def test_the_head_is_what_a_parser_reads(request: messages.ModelInferRequest) -> None:
    head = infer_head(request.SerializeToString())
    assert (head.model, head.version, head.request_id) == (request.model_name, request.model_version, request.id)


@given(requests(), names)
def test_the_digest_ignores_the_id_and_nothing_else(request: messages.ModelInferRequest, other: str) -> None:
    before = infer_head(request.SerializeToString()).digest
    request.id = other
    assert infer_head(request.SerializeToString()).digest == before
    request.raw_input_contents.append(b"more")
    assert infer_head(request.SerializeToString()).digest != before


@given(names, names, st.binary(max_size=300))
def test_a_cached_answer_gets_the_new_id(old: str, new: str, raw: bytes) -> None:
    response = messages.ModelInferResponse(model_name="m", id=old, raw_output_contents=[raw])
    read = messages.ModelInferResponse.FromString(with_id(response.SerializeToString(), new))
    response.id = new
    assert read == response


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(wire: bytes) -> None:
    try:
        list(fields(wire))
    except NotAMessage:
        return


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(NotAMessage):
        infer_head(b"\x0a\x02\xff\xfe")
