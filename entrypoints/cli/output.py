"""What commands print: text for people, or JSON; never a control character."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import click

from automation_retry.adapters.printable import printable
from automation_retry.domain import utc_text

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """The option `--json`, for every command that prints data."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(document: Any) -> None:
    click.echo(as_text(document))


def as_text(document: Any) -> str:
    """JSON in ASCII, so that nothing in it is interpreted by a terminal."""
    return json.dumps(document, indent=2, default=_json)


def print_completely(text: str) -> None:
    """Raises OSError unless all of it was written: Python's own streams lose what a pipe refuses.

    A non-blocking pipe that is full refuses.
    """
    sys.stdout.flush()
    left = f"{text}\n".encode()
    while left:
        left = left[os.write(sys.stdout.fileno(), left) :]


def print_line(*parts: str, err: bool = False) -> None:
    click.echo("  ".join(printable(part) for part in parts).rstrip(), err=err)


def print_table(rows: Sequence[Mapping[str, str]]) -> None:
    """A line for each row below the names of the columns; nothing where there are no rows."""
    if not rows:
        return
    lines = [list(rows[0]), *([printable(one) for one in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _json(value: Any) -> str:
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value).__name__)
