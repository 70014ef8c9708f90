"""What a topic returns: a table, a figure, and what to see in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..backend import AnyBackend
from ..plots import Figure

Cell: TypeAlias = str | float | int


@dataclass(frozen=True)
class Result:
    """What running one topic gave.

    Attributes
    ----------
    title : str
        What was run.
    columns, rows
        The table: names, and a cell for each in every row.
    figure : Figure
        The same as a picture.
    see : str
        Two sentences on what to see.
    text : str
        What does not fit a table; may be empty.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    figure: Figure
    see: str
    text: str = ""

    def table(self) -> str:
        """Return the table as text: words to the left, numbers to the right, in six digits."""
        cells = [[_text(cell) for cell in row] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(self.columns, *cells, strict=True)]
        words = [
            all(isinstance(cell, str) for cell in column) for column in zip(*self.rows, strict=True)
        ] or [True] * len(widths)
        return "\n".join(
            "  ".join(
                cell.ljust(width) if word else cell.rjust(width)
                for cell, width, word in zip(line, widths, words, strict=True)
            ).rstrip()
            for line in [list(self.columns), *cells]
        )


Topic: TypeAlias = Callable[[AnyBackend, int], Result]
"""(backend, seed) -> result; every number in it comes from the library's own training on that backend."""


def _text(cell: Cell) -> str:
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)
