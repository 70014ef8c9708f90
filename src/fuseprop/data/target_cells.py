"""Target columns of texts: whether they hold numbers or classes; doubtful ones are refused, not guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from shlex import quote
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.choices import choose
from ..checks.quoting import literal
from .errors import DataError
from .share import WHOLE, Share
from .spelling import (
    EXACT_LIMIT,
    Spelling,
    is_code,
    is_missing,
    number,
    other_spelling,
    shared_spelling,
    visible,
)

MANY_NUMBERS = 20
"""A column with more different numbers than this is numeric, so that a text in it is a mistake."""

KINDS = {
    "auto": "numbers where all are, else classes",
    "numbers": "numbers",
    "text": "classes, each as it is written",
}
"""The values of `target_as`, with what each takes a target for."""


class ReadingKeywords(TypedDict):
    """The keywords of `Table.of` and `load_table` that make up a `Reading`."""

    target_as: str
    keep_as_class: Sequence[str]


@dataclass(frozen=True)
class Reading:
    """How the texts of a target are read.

    Attributes
    ----------
    target_as : "auto" | "numbers" | "text"
        "auto" reads numbers if every text is one, and classes otherwise; whole numbers that float64 would not
        give back (007, or 9007199254740993) are classes then. "text" takes each text as it is written for a
        class; "numbers" refuses all other texts.
    keep_as_class : sequence of str
        Texts that are classes although they look like a missing value (NA) or like a number (14%).

    Raises ValueError for another `target_as`, for `keep_as_class` that holds anything but non-empty texts,
    and for both if they contradict each other.
    """

    target_as: str = "auto"
    keep_as_class: Sequence[str] = ()

    def __post_init__(self) -> None:
        choose("target_as", self.target_as, KINDS)
        if isinstance(self.keep_as_class, str):
            object.__setattr__(self, "keep_as_class", (self.keep_as_class,))
        is_iterable = isinstance(self.keep_as_class, Iterable)
        if is_iterable:
            object.__setattr__(self, "keep_as_class", tuple(self.keep_as_class))
        if not is_iterable or not all(isinstance(text, str) and text.strip() for text in self.keep_as_class):
            raise ValueError(
                f"keep_as_class must be texts such as ('NA',), got {literal(self.keep_as_class)}."
            )
        if self.target_as == "numbers" and self.keep_as_class:
            raise ValueError('keep_as_class makes classes: it does not go with target_as="numbers".')

    def keywords(self) -> ReadingKeywords:
        """Return the reading as keywords of `Table.of` and `load_table`."""
        return {"target_as": self.target_as, "keep_as_class": self.keep_as_class}


AUTO = Reading()


def read_cells(
    texts: Sequence[str],
    codes: NDArray[np.int64],
    reading: Reading,
    place: Callable[[int], str],
    *,
    typed: bool = False,
    share: Share = WHOLE,
    rows: NDArray[np.int64] | None = None,
) -> HostArray:
    """Return a target column (N,) as numbers (float64) or as text, of dtype str.

    Parameters
    ----------
    texts : sequence of str
        The different texts of the column, in all processes, without space around them.
    codes : (N,) int64
        The index in `texts` of the text of each row that this process has, perhaps of none.
    reading : Reading
        How the texts are read.
    place : callable
        Returns the place of a row, counted from 0 over all processes: ``t.csv: row 3, column 'y'``.
    typed : bool
        Whether the column holds Python or NumPy strings, not a file's cells; numbers then stay text.
    share, rows
        The share that has these rows, and which of its rows (N,) they are; by default all.

    All processes call it, and raise alike: DataError, with the place of the first such row,
    for a missing value, a number in another notation or with units, inf, text among many numbers, and numbers
    that may as well be codes or classes.
    """
    column = _Column(texts, codes, reading, place, share, rows)
    column.refuse_missing()
    if reading.target_as == "text":
        return column.as_text()
    if reading.target_as == "numbers":
        column.refuse_other_than_numbers()
        return column.as_numbers()
    column.refuse_other_spellings()
    if not column.is_numeric():
        if len(column.numbers()) > MANY_NUMBERS:
            column.refuse_other_than_numbers(f", as in the {len(column.numbers())} different numbers there")
        column.refuse_shared_spelling()
        return column.as_text()
    if column.holds_codes():
        column.refuse_infinite(but=is_code)
        column.refuse_undecided()
        return column.as_text()
    column.refuse_infinite()
    if typed:
        column.refuse_many_texts()
        return column.as_text()
    return column.as_numbers()


class _Column:
    """A column's different texts with the numbers that they are, and its refusals, which raise DataError."""

    def __init__(
        self,
        texts: Sequence[str],
        codes: NDArray[np.int64],
        reading: Reading,
        place: Callable[[int], str],
        share: Share,
        rows: NDArray[np.int64] | None,
    ) -> None:
        self._share = share
        self._rows = rows
        self._texts = texts
        self._codes = codes
        self._reading = reading
        self._kept = set(reading.keep_as_class) & set(texts)
        self._place = place
        self._numbers = [None if text in self._kept else number(text) for text in texts]
        # Most texts are finite numbers, which pass all checks but the one for codes.
        self._not_finite = [
            code for code, value in enumerate(self._numbers) if value is None or not isfinite(value)
        ]

    def numbers(self) -> list[float]:
        """Return the different numbers of the column."""
        return [value for value in self._numbers if value is not None]

    def is_numeric(self) -> bool:
        return None not in self._numbers

    def holds_codes(self) -> bool:
        return any(
            is_code(text)
            for text, value in zip(self._texts, self._numbers, strict=True)
            if value is not None and (text[0] in "0+-" or abs(value) >= EXACT_LIMIT)
        )

    def as_text(self) -> HostArray:
        return np.array(list(self._texts), dtype=np.str_)[self._codes]

    def as_numbers(self) -> HostArray:
        self.refuse_infinite()
        return np.array(self.numbers())[self._codes]

    def refuse_missing(self) -> None:
        found = self._first(lambda text, _: is_missing(text) and text not in self._kept)
        if found is None:
            return
        row, text, rows = found
        others = f" ({rows} such rows)" if rows > 1 else ""
        if not visible(text):
            raise DataError(f"{self._place(row)}: the cell is empty{others}. Fill it, or leave the row out.")
        advice = ""
        # No advice about `keep_as_class` if the caller uses it already, or if the column is numeric.
        if (
            len(self.numbers()) <= MANY_NUMBERS
            and not self._reading.keep_as_class
            and self._reading.target_as != "numbers"
        ):
            typed = f"--keep-as-class {quote(text)}, or " if text.isprintable() else ""
            advice = (
                f" Where it is a class, keep it as one: {typed}keep_as_class=({literal(text)},) in Python."
            )
        raise DataError(
            f"{self._place(row)}: {literal(text)} says that the value is missing{others}, so there is "
            f"nothing to learn from. Fill it, or leave the row out.{advice}"
        )

    def refuse_other_spellings(self) -> None:
        found = self._first(lambda text, _: text not in self._kept and other_spelling(text) is not None)
        if found is not None:
            row, text, _ = found
            raise DataError(f"{self._place(row)}: {_other_notation(text)} {AS_TEXT}")

    def refuse_other_than_numbers(self, why: str = "") -> None:
        found = self._first(lambda text, value: value is None and text not in self._kept)
        if found is not None:
            row, text, _ = found
            advice = f" {_other_notation(text)}" if other_spelling(text) else ""
            raise DataError(f"{self._place(row)}: expected a number{why}, got {literal(text)}.{advice}")

    def refuse_shared_spelling(self) -> None:
        """Refuse many different numbers with the same text around them, such as a unit."""
        texts = [text for text in self._texts if text not in self._kept]
        spelling = shared_spelling(texts) if len(texts) > MANY_NUMBERS else None
        if spelling is not None:
            found = self._first(lambda text, value: value is None and text not in self._kept)
            assert found is not None
            row, text, _ = found
            raise DataError(f"{self._place(row)}: {_looks_like(text, spelling)} {AS_TEXT}")

    def refuse_infinite(self, but: Callable[[str], bool] = lambda _: False) -> None:
        found = self._first(lambda text, value: value is not None and not isfinite(value) and not but(text))
        if found is not None:
            row, text, _ = found
            raise DataError(f"{self._place(row)}: expected a finite number, got {literal(text)}.")

    def refuse_undecided(self) -> None:
        """Refuse whole numbers with leading zeros or too many digits that could be codes or numbers."""
        if not self._mostly_different():
            return
        found = self._first(lambda text, _: is_code(text), range(len(self._texts)))
        assert found is not None
        row, text, _ = found
        raise DataError(
            f"{self._place(row)}: {literal(text)} is either a code or a number that loses its "
            f"{'leading zeros' if text.lstrip('+-').startswith('0') else 'last digits'}, and "
            f"{len(self._texts)} different values say nothing of which. Say it: --target-as text or "
            f'--target-as numbers; target_as="text" or "numbers" in Python.'
        )

    def refuse_many_texts(self) -> None:
        """Refuse strings that are numbers and mostly differ, as the targets of a regression do."""
        if self._mostly_different():
            found = self._first(lambda *_: True, range(len(self._texts)))
            assert found is not None
            row, text, _ = found
            raise DataError(
                f"{self._place(row)}: {literal(text)} is one of {len(self._texts)} "
                f"different numbers, written as text. Say what they are: "
                f'target_as="numbers", or "text" for classes.'
            )

    def _mostly_different(self) -> bool:
        return len(self._texts) > max(MANY_NUMBERS, self._share.total(len(self._codes)) / 2)

    def _first(
        self, wrong: Callable[[str, float | None], bool], among: Iterable[int] | None = None
    ) -> tuple[int, str, int] | None:
        """Return the first row whose text is wrong, that text, and the number of such rows; None without one.

        `among` lists the codes of the texts to examine; by default those that are no finite numbers.
        """
        among = self._not_finite if among is None else among
        bad = [code for code in among if wrong(self._texts[code], self._numbers[code])]
        if not bad:
            return None
        found = self._share.first_where(np.isin(self._codes, bad), self._codes, self._rows)
        assert found is not None
        row, code, rows = found
        return row, self._texts[code], rows


AS_TEXT = 'Where such texts are classes: --target-as text, or target_as="text" in Python.'


def _other_notation(text: str) -> str:
    """Return a sentence on a number in another notation: what it looks like, and what to do about it."""
    spelling = other_spelling(text)
    assert spelling is not None
    return _looks_like(text, spelling)


def _looks_like(text: str, spelling: Spelling) -> str:
    return f"{literal(text)} looks like {spelling.looks_like}, which is not read as one. {spelling.remedy}"
