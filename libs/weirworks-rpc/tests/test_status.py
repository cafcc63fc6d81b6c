from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st
from weirworks_rpc import InvalidFields, Violation
from weirworks_rpc.errors import Internal, NotFound, StoreUnavailable, WeirError
from weirworks_rpc.status import error_of, status_of

texts = st.text(max_size=400)


def test_an_error_comes_back_with_code_reason_metadata_and_retry_time() -> None:
    told = error_of(status_of(StoreUnavailable("postgres", timedelta(seconds=3))))
    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert told.reason_word == "STORE_UNAVAILABLE"
    assert told.metadata == {"store": "postgres"}
    assert told.retry_after == timedelta(seconds=3)
    assert told.message == "The store 'postgres' is away; retry in 3 s."


def test_a_missing_resource_is_named() -> None:
    assert error_of(status_of(NotFound("scaler", "scalers/x"))).resource == ("scaler", "scalers/x")


def test_an_internal_error_carries_the_request_id_and_nothing_else() -> None:
    status = status_of(Internal("abc"))
    info = error_details_pb2.RequestInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    assert info.request_id == "abc"


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=60))
def test_details_stay_under_four_kib_and_keep_the_first_violation(pairs: list[tuple[str, str]]) -> None:
    status = status_of(InvalidFields([Violation(field, rule) for field, rule in pairs]))
    assert status.ByteSize() - len(status.message.encode()) <= 4096 + 128
    assert error_of(status).violations[0].field == pairs[0][0][:128]


@pytest.mark.parametrize("kind", WeirError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_error_class_has_a_code_and_a_reason(kind: type[WeirError]) -> None:
    if kind.__name__ == "RemoteError":
        return
    assert kind.code is not grpc.StatusCode.OK
    assert kind.reason != 0
