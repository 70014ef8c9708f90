"""Column: what the cells of a feature mean, as a table holds them and as a model keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks.choices import choose
from ..checks.quoting import literal
from .errors import repeated

KINDS = {
    "number": "a number",
    "boolean": "one of two texts, such as no and yes, as 0 or 1",
    "category": "one of several texts, as its position among the levels",
    "date": "days since 1970-01-01, with the time of day as a fraction",
}
"""The kinds of columns that are features, with what a cell holds in `Table.X`; nan where it is missing."""

QUANTITIES = ("number", "date")
"""The kinds of columns whose cells have a mean, a deviation and a range."""


@dataclass(frozen=True)
class Column:
    """A feature column: its name, and what the numbers in its cells stand for.

    Attributes
    ----------
    name : str
    kind : "number" | "boolean" | "category" | "date"
        See `KINDS`.
    levels : tuple of str
        The texts of a category by their codes; those of a boolean for 0 and 1; else none.
    notation : str
        How cells of text are written, where numbers are not plain and for dates: the name of a notation in
        `notations`, or a date's format such as "%d.%m.%Y". "" for plain numbers, and for cells that a typed
        source gave as numbers or dates.

    Raises ValueError for an unknown kind, and levels that do not go with it.
    """

    name: str
    kind: str = "number"
    levels: tuple[str, ...] = ()
    notation: str = ""

    def __post_init__(self) -> None:
        choose("kind of column", self.kind, KINDS)
        wanted = {"boolean": len(self.levels) == 2, "category": True}.get(self.kind, not self.levels)
        if not wanted or repeated(self.levels):
            raise ValueError(
                f"the {self.kind} column {literal(self.name)} cannot have the levels {literal(self.levels)}."
            )
