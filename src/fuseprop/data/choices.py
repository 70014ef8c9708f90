"""Choices: what a user says of the columns, where the rules would decide otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypedDict

from ..checks.choices import choose
from ..checks.quoting import literal
from .dates import wrong_format
from .errors import DataError, as_names, check_different, listed
from .notations import is_notation

HOW_MISSING = {
    "encode": "fill it, and tell the network where by a feature of its own",
    "refuse": "an error that names the first one",
}
"""The values of `missing`, with what happens to a missing value of a feature."""


class ChoicesKeywords(TypedDict, total=False):
    """The keywords of `load_table`, `Table.of` and `train` that make up `Choices`."""

    features: Sequence[str] | None
    drop: Sequence[str]
    numeric: Sequence[str]
    categorical: Sequence[str]
    date: Sequence[str]
    ignore_index: bool
    missing: str


@dataclass(frozen=True)
class Choices:
    """What a user says of the columns.

    Attributes
    ----------
    features : sequence of str, optional
        The features, in this order; by default all columns that the rules take for features. A column that is
        named here is never left out.
    drop : sequence of str
        Columns that are no features.
    numeric : sequence of str
        Columns of numbers, whatever the rules say; "price=1.234,5" says the notation too (see `notations`).
    categorical : sequence of str
        Columns of categories, whatever the rules say.
    date : sequence of str
        Columns of dates; "when=%d/%m/%Y" says the format too.
    ignore_index : bool
        Whether the first column is a row's name and no feature.
    missing : "encode" | "refuse"
        See `HOW_MISSING`.

    Raises ValueError for another `missing`; TypeError for names that are no sequence of text; DataError for
    a column that is named for two things that exclude each other, and a date's format that cannot be read.
    """

    features: Sequence[str] | None = None
    drop: Sequence[str] = ()
    numeric: Sequence[str] = ()
    categorical: Sequence[str] = ()
    date: Sequence[str] = ()
    ignore_index: bool = False
    missing: str = "encode"

    def __post_init__(self) -> None:
        choose("missing", self.missing, HOW_MISSING)
        for what in ("features", "drop", "numeric", "categorical", "date"):
            object.__setattr__(self, what, as_names(what, getattr(self, what)))
        named = {
            "features": self.features or (),
            "drop": self.drop,
            "numeric": tuple(self.notations()),
            "categorical": self.categorical,
            "date": tuple(self.formats()),
        }
        for what, names in named.items():
            check_different(names, what, "names")
        for one, other in combinations(named, 2):
            others = set(named[other])
            both = [name for name in named[one] if name in others]
            if both and (one != "features" or other == "drop"):
                raise DataError(
                    f"{listed(both)}: a column cannot stand in {one} and {other} too. Name it in one of them."
                )
        among = set(named["features"])
        beside = [name for name in self.named() if name not in among]
        if self.features is not None and beside:
            raise DataError(f"{listed(beside)}: named for a kind of column, but not among the features.")
        for name, form in self.formats().items():
            wrong = wrong_format(form) if form else ""
            if wrong:
                raise DataError(
                    f"{literal(form)} is no format of dates for the column {literal(name)}: {wrong}"
                )

    def notations(self) -> dict[str, str]:
        """Return the columns in `numeric`, each with its notation, or "" where none is said."""
        return dict(_split(name, is_notation) for name in self.numeric)

    def formats(self) -> dict[str, str]:
        """Return the columns in `date`, each with its format, or "" where none is said."""
        return dict(_split(name, lambda text: "%" in text) for name in self.date)

    def named(self) -> tuple[str, ...]:
        """Return the columns that are named as features of a kind, or in `features`."""
        return (*(self.features or ()), *self.notations(), *self.categorical, *self.formats())

    def keywords(self) -> ChoicesKeywords:
        """Return the choices as keywords."""
        return {
            "features": self.features,
            "drop": self.drop,
            "numeric": self.numeric,
            "categorical": self.categorical,
            "date": self.date,
            "ignore_index": self.ignore_index,
            "missing": self.missing,
        }


def _split(name: str, is_form: Callable[[str], bool]) -> tuple[str, str]:
    """Return a column's name and what stands behind its last "=", or "" if that is no form."""
    before, sign, form = name.rpartition("=")
    return (before, form) if sign and before and is_form(form) else (name, "")


NONE = Choices()
