from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from weirworks_telemetry.core.gate import gated, holds_content
from weirworks_telemetry.core.partitions import Partition, ahead, expired, parse

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1)))
def test_a_name_tells_its_partition(day: date) -> None:
    partition = Partition("decision_events", day)
    assert parse(partition.name) == partition


def test_another_table_is_no_partition() -> None:
    assert parse("load_history") is None
    assert parse("spans_default") is None


def test_midnight_finds_its_table() -> None:
    assert [partition.name for partition in ahead(["spans"], NOON)] == ["spans_p20261121", "spans_p20261122"]


def test_only_whole_days_past_retention_go() -> None:
    names = [f"spans_p202611{day:02d}" for day in (18, 19, 20, 21)]
    gone = expired([*names, "other"], NOON, timedelta(days=2))
    assert [partition.name for partition in gone] == ["spans_p20261118"]


@given(st.text(min_size=1, max_size=30))
def test_what_people_wrote_is_never_kept(text: str) -> None:
    attributes = {"gen_ai.prompt": text, "gen_ai.input.messages.0.content": text, "http.method": "GET"}
    kept = gated(attributes, lambda _text: "digest")
    assert kept == {
        "gen_ai.prompt": "hmac:digest",
        "gen_ai.input.messages.0.content": "hmac:digest",
        "http.method": "GET",
    }
    assert not holds_content("gen_ai.prompt_tokens")


def test_long_texts_are_cut_and_nul_is_dropped() -> None:
    assert gated({"a": "x\0" * 2000}, str) == {"a": "x" * 512}
