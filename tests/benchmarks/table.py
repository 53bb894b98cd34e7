from collections.abc import Sequence
from typing import Final

from attrs import frozen

from tests.benchmarks.measured import Spread

TIMES: Final = "\N{MULTIPLICATION SIGN}"
NONE: Final = "\N{EN DASH}"
_TO: Final = "\N{EN DASH}"


@frozen
class Table:
    """A table in Markdown, padded to be readable as plain text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def __str__(self) -> str:
        columns = list(zip(self.head, *self.rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        lines = [
            self._line(self.head, widths),
            self._line(["-" * width for width in widths], widths),
        ]
        lines += [self._line(row, widths) for row in self.rows]
        note = f"{self.note}\n\n" if self.note else ""
        return f"## {self.title}\n\n{note}" + "\n".join(lines) + "\n"

    @staticmethod
    def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"


def number(value: float) -> str:
    """With at least three significant digits, and no more decimals than they need."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values: Spread | None) -> str:
    """The median, with the least and the most."""
    if values is None:
        return NONE
    if len(values.rounds) == 1:
        return number(values.median)
    return f"{number(values.median)} ({number(values.least)}{_TO}{number(values.most)})"
