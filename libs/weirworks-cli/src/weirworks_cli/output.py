"""Data on stdout as a table or JSON; progress and errors on stderr."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table
from weirworks_rpc import WeirError

FAILED, USAGE, PARTLY = 1, 2, 3


def print_json(value: Any) -> None:
    """The value, indented, on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table without lines, as kubectl prints it; wide enough for its contents when it goes into a pipe."""
    table = Table(box=None, pad_edge=False, header_style="")
    for column in columns:
        table.add_column(column.upper(), no_wrap=True)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console = Console(no_color=bool(os.environ.get("NO_COLOR")), highlight=False)
    Console(width=max(console.width, 400) if not console.is_terminal else None, highlight=False).print(table)


def say(line: str) -> None:
    """A line of progress."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def explain(error: WeirError) -> None:
    """Reason, sentence, and when to try again."""
    say(f"{error.reason_word}: {error.message}")
    for violation in error.violations:
        say(f"  {violation.field}: {violation.description}")


def fail(sentence: str, code: int = FAILED) -> NoReturn:
    """Ends the command."""
    say(sentence)
    sys.exit(code)


def leaves_of(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The errors of a group without the groups between."""
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += leaves_of(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves
