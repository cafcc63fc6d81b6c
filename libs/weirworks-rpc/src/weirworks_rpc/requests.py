"""Checks that requests of every service share: violations at once, times, and pages."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from weirworks_rpc.errors import InvalidFields, Violation

T = TypeVar("T")
_PAGE = 100


def refuse(problems: Sequence[Violation]) -> None:
    """Raises InvalidFields with all the problems when there are any."""
    if problems:
        raise InvalidFields(problems)


def moment(time: Timestamp, field: str) -> datetime:
    """The moment of a timestamp. Raises InvalidFields outside of the years 1 to 9999."""
    try:
        return time.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise InvalidFields([Violation(field, "must be a time between the years 1 and 9999")]) from None


def page_problems(size: int, limit: int) -> list[Violation]:
    """What is wrong with a `page_size`."""
    return [] if 0 <= size <= limit else [Violation("page_size", f"{size} given; 0 to {limit}")]


def page_of(items: Sequence[T], size: int, token: str, limit: int = 1000) -> tuple[Sequence[T], str]:
    """One page of a whole list and the token of the next page; size 0 means 100. Raises InvalidFields."""
    problems = page_problems(size, limit)
    if token and not (token.isascii() and token.isdecimal() and int(token[:9]) <= len(items)):
        problems.append(Violation("page_token", "must be the next_page_token of an answer"))
    refuse(problems)
    start = int(token[:9] or 0)
    end = start + (size or _PAGE)
    return items[start:end], str(end) if end < len(items) else ""
