import pytest
from hypothesis import given
from hypothesis import strategies as st
from weirworks_rpc import InvalidFields
from weirworks_rpc.requests import page_of


@given(st.lists(st.integers(), max_size=50), st.integers(min_value=1, max_value=7))
def test_pages_together_are_the_list(items: list[int], size: int) -> None:
    seen: list[int] = []
    token = ""
    while True:
        page, token = page_of(items, size, token)
        seen += page
        if not token:
            break
    assert seen == items


@pytest.mark.parametrize(
    ("size", "token", "field"),
    [
        pytest.param(-1, "", "page_size", id="negative size"),
        pytest.param(1001, "", "page_size", id="size above the limit"),
        pytest.param(1, "x", "page_token", id="token of letters"),
        pytest.param(1, "99", "page_token", id="token beyond the end"),
        pytest.param(1, "٣", "page_token", id="token of other digits"),
    ],
)
def test_a_bad_page_is_refused(size: int, token: str, field: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        page_of([1, 2, 3], size, token)
    assert caught.value.violations[0].field == field
