"""What a topic is, and what it returns: a table, a figure, and what to see in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..backend import AnyBackend
from ..checks.quoting import six_digits
from ..plots import Figure, Film

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
    film : Film, optional
        The figure as it moves, of a topic that does.

    Examples
    --------
    >>> import fuseprop
    >>> from fuseprop.learn import TOPICS
    >>> result = TOPICS["line"](fuseprop.load_backend("cpu", "float64"), 0)
    >>> result.columns[0], len(result.rows) > 1
    ('step', True)
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    figure: Figure
    see: str
    text: str = ""
    film: Film | None = None

    def _repr_html_(self) -> str:
        """Return the result as a notebook shows it: the table, the picture and what to see."""
        from ..plots.drawing import as_html
        from ..showing import lines, paragraph, section, table  # only where a notebook asks

        return section(
            self.title,
            table(self.columns, self.rows),
            lines(self.text),
            as_html(self.figure),
            paragraph(self.see),
        )

    def table(self) -> str:
        """Return the table as text: words to the left, numbers to the right, in six digits."""
        cells = [[six_digits(cell) for cell in row] for row in self.rows]
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


Run: TypeAlias = Callable[[AnyBackend, int], Result]
"""(backend, seed) -> result; every number in it comes from the library's own training on that backend."""


@dataclass(frozen=True)
class Topic:
    """A topic of the course: a short training, to be called with a backend and a seed.

    Attributes
    ----------
    name : str
    line : str
        What it shows, in one line.
    run : callable
        (backend, seed) -> Result.
    moves : bool
        Whether its result has a film.

    Examples
    --------
    >>> from fuseprop.learn import TOPICS
    >>> TOPICS["xor"].line
    'Xor needs a hidden layer.'
    """

    name: str
    line: str
    run: Run
    moves: bool

    def __call__(self, backend: AnyBackend, seed: int) -> Result:
        """Run it; every number of the result comes from the library's own training on that backend."""
        return self.run(backend, seed)


def topic(line: str, *, moves: bool = False) -> Callable[[Run], Topic]:
    """Return a decorator that makes a topic of a function, whose name becomes the topic's."""
    return lambda run: Topic(run.__name__, line, run, moves)
