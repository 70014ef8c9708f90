"""Choices: what a user says of the columns, where the rules would decide otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from ..checks.choices import choose

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
    numeric, categorical : sequence of str
        Columns of numbers, and of categories, whatever the rules say.
    date : sequence of str
        Columns of dates; "when=%d/%m/%Y" says the format too.
    ignore_index : bool
        Whether the first column is a row's name and no feature.
    missing : "encode" | "refuse"
        See `HOW_MISSING`.

    Raises ValueError for another `missing`; TypeError for names that are no sequence of text; DataError for
    a column that is named for two things that exclude each other.
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


NONE = Choices()
