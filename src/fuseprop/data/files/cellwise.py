"""Columns that are put together block by block: numbers with what is none, and texts by codes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from math import isfinite, nan
from typing import TypeVar, cast

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ..cells import MISSING, MOST_OTHERS, Dates, Numbers, Texts
from ..dates import days_in
from ..spelling import EXACT_LIMIT, is_code, is_missing, number
from .arrow import Doubles, Strings

MOST_KNOWN = 100_000
"""Texts whose numbers are remembered; more would take memory for what does not come again."""


_PLAIN = re.compile(r"-?(?:[1-9]\d{0,14}|0)(?:\.\d+)?(?:[eE][+-]?\d\d?)?", re.ASCII)
"""Most numbers, none of which is a code or infinite."""

_CODE = re.compile(r"\n[+-]?0\d", re.ASCII)


def plain_numbers(texts: Sequence[str]) -> NDArray[np.float64] | None:
    """Return the numbers of cells, all of which are plain ones; None if it takes a look at each."""
    joined = "\n".join(["", *texts])
    if not joined.isascii() or "_" in joined or _CODE.search(joined):
        return None
    try:
        values = np.array(list(map(float, texts)), dtype=np.float64)
    except ValueError:
        return None
    return values if (np.abs(values) < EXACT_LIMIT).all() else None


def plain_number(text: str) -> float | None:
    """Return a cell's number, nan for a missing value, None for any other text; see `Numbers`."""
    if _PLAIN.fullmatch(text):
        return float(text)
    text = text.strip()
    value = number(text)
    if value is not None and isfinite(value):
        return None if is_code(text) else value
    return nan if is_missing(text) else None


class NumberColumn:
    """A column of numbers, with the texts that are none."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self._blocks: list[NDArray[np.float64]] = []
        self._rows = 0
        self._others: dict[int, str] = {}
        self._count = 0
        self._known: dict[str, float | None] = {}

    def sql(self, i: int, *, checked: bool = False) -> tuple[list[str], list[str]]:
        """Return the expressions that an inner and an outer query select for column c`i`.

        They are the cell's number, and its text where the number says nothing: for numbers from 2^53 on and
        whatever is no number, which are looked at in Python. DuckDB's cast and Python's differ for texts with
        "_" and "+-" alone; such texts, and codes such as 007, are looked for if `checked`. A comparison with
        NULL is no truth.
        """
        is_plain = f"y{i} > -9007199254740992 AND y{i} < 9007199254740992"
        if checked:
            is_plain += (
                f" AND c{i} >= '-' AND c{i} NOT BETWEEN '00' AND '09~' AND c{i} NOT BETWEEN '-00' AND '-09~' "
                f"AND NOT contains(c{i}, '_')"
            )
        return (
            [f"c{i}", f"try_cast(c{i} AS DOUBLE) AS y{i}"],
            [f"y{i}", f"CASE WHEN {is_plain} THEN NULL ELSE c{i} END"],
        )

    def add(self, block: list[Doubles | Strings]) -> None:
        """Add a block of rows, taking what `sql` selects from the end of `block`."""
        doubtful, numbers = block.pop(), block.pop()
        assert isinstance(numbers, Doubles)
        assert isinstance(doubtful, Strings)
        values = numbers.values.copy()
        if numbers.valid is not None:
            values[~numbers.valid] = nan
        if doubtful.offsets[0] != doubtful.offsets[-1]:
            rows = np.flatnonzero(np.diff(doubtful.offsets))
            values[rows] = [
                self.value(self._rows + row, text)
                for row, text in zip(rows.tolist(), doubtful.texts(rows), strict=True)
            ]
        self.add_values(values)

    def add_values(self, values: NDArray[np.float64]) -> None:
        """Add a block of rows by their numbers, which are plain or come from `value`."""
        self._blocks.append(values)
        self._rows += len(values)

    def value(self, row: int, text: str) -> float:
        """Return the number of a row's text; nan where it is missing, or no number, which is counted."""
        try:
            value = self._known[text]
        except KeyError:
            value = plain_number(text)
            if len(self._known) < MOST_KNOWN:
                self._known[text] = value
        if value is not None:
            return value
        self._count += 1
        if len(self._others) < MOST_OTHERS:
            self._others[row] = text.strip()
        return nan

    def cells(self) -> Numbers:
        """Return the whole column, and let go of its blocks."""
        return Numbers(_joined(self._blocks, np.float64), self._others, self._count)


class DateColumn:
    """A column of dates in one format of ISO 8601, as days; `wrong` counts the texts that are none."""

    def __init__(self, form: str) -> None:
        self._form = form
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self._blocks: list[NDArray[np.float64]] = []
        self.wrong = 0

    def sql(self, i: int, *, checked: bool = False) -> tuple[list[str], list[str]]:
        """Return the expressions that an inner and an outer query select for column c`i`."""
        return [f"c{i}"], [f"c{i}"]

    def add(self, block: list[Doubles | Strings]) -> None:
        """Add a block of rows, taking what `sql` selects from the end of `block`."""
        strings = block.pop()
        assert isinstance(strings, Strings)
        lengths = np.diff(strings.offsets)
        days = np.full(len(strings), nan)
        for length in np.unique(lengths[lengths <= LONGEST_DATE]):
            rows = np.flatnonzero(lengths == length)
            for part in np.split(rows, range(DATES_AT_ONCE, len(rows), DATES_AT_ONCE)):
                if length == strings.data.size / len(strings):
                    # All texts are of this length, one behind the other.
                    characters = strings.data.reshape(-1, length)[part[0] : part[-1] + 1]
                else:
                    characters = strings.data[strings.offsets[part][:, None] + np.arange(length)]
                is_ascii = (characters < 128).all(axis=1)
                days[part[is_ascii]] = days_in(characters[is_ascii], self._form)
        left = np.flatnonzero(np.isnan(days))
        self.wrong += sum(not is_missing(text) for text in strings.texts(left))
        self._blocks.append(days)

    def cells(self) -> Dates:
        """Return the whole column, and let go of its blocks."""
        return Dates(_joined(self._blocks, np.float64), self._form)


DATES_AT_ONCE = 1 << 16
LONGEST_DATE = 48
"""A longer text is no date."""

WORDS = 4
"""Texts of at most this many words of 8 bytes are looked up by NumPy."""

SLOT_BITS = 13
FEW_TEXTS = 2000
"""With more different texts than this, too many share a slot of the table of known ones."""

AT_ONCE = 512
"""New texts that are told to the table before the rest is looked up."""

_MASKS = np.array([(1 << 8 * length) - 1 for length in range(9)], np.uint64)
_FACTORS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64
)


class TextColumn:
    """A column of texts as codes of the different ones, without space around them.

    Parameters
    ----------
    nulls : bool
        Whether a null is no text; otherwise it is the empty one.
    """

    def __init__(self, *, nulls: bool = False) -> None:
        self._nulls = nulls
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self._blocks: list[NDArray[np.int32]] = []
        # A new text is given the next code, all in C.
        self._codes = defaultdict[str, int](count().__next__)
        # Texts that were seen, each in the slot of its hash: their words of 8 bytes, and their codes.
        self._slot_words = np.zeros((1, 1 << SLOT_BITS), np.uint64)
        self._slot_codes = np.full(1 << SLOT_BITS, -1, np.int32)

    def sql(self, i: int, *, checked: bool = False) -> tuple[list[str], list[str]]:
        """Return the expressions that an inner and an outer query select for column c`i`."""
        return [f"c{i}"], [f"c{i}"]

    def add(self, block: list[Doubles | Strings]) -> None:
        """Add a block of rows, taking what `sql` selects from the end of `block`."""
        strings = block.pop()
        assert isinstance(strings, Strings)
        if self._nulls and strings.valid is not None:
            rows = np.flatnonzero(strings.valid)
            codes = np.full(len(strings), MISSING, np.int32)
            codes[rows] = self._coded(strings.texts(rows))
            self._blocks.append(codes)
            return
        lengths = np.diff(strings.offsets)
        longest = int(lengths.max(initial=0))
        if longest <= 8 * WORDS and len(self._codes) <= FEW_TEXTS:
            self._blocks.append(self._looked_up(strings, lengths, -(-longest // 8) or 1))
        else:
            self._blocks.append(np.array(self._coded(strings.texts(slice(None))), dtype=np.int32))

    def add_texts(self, texts: list[str | None]) -> None:
        """Add the texts of some rows; None is a null."""
        if None in texts:
            coded = [MISSING if text is None else self._codes[text] for text in texts]
        else:
            coded = self._coded(cast(list[str], texts))
        self._blocks.append(np.array(coded, dtype=np.int32))

    def _coded(self, texts: list[str]) -> list[int]:
        return list(map(self._codes.__getitem__, texts))

    def _looked_up(self, strings: Strings, lengths: NDArray[np.integer], most: int) -> NDArray[np.int32]:
        """Return the codes of a block's texts, which have at most `most` words."""
        words = _words(strings, lengths, most)
        mixed = words[0] * _FACTORS[0]
        for word, factor in zip(words[1:], _FACTORS[1:], strict=False):
            mixed ^= word * factor
            mixed *= _FACTORS[0]
        slots = (mixed >> np.uint64(64 - SLOT_BITS)).astype(np.intp)
        codes = np.empty(len(slots), np.int32)
        rows = np.arange(len(slots))
        if most > len(self._slot_words):
            more = np.zeros((most - len(self._slot_words), 1 << SLOT_BITS), np.uint64)
            self._slot_words = np.concatenate([self._slot_words, more])
        words += [np.zeros(len(slots), np.uint64)] * (len(self._slot_words) - most)
        while True:
            found = self._slot_codes[slots[rows]]
            is_known = found >= 0
            for word, in_slot in zip(words, self._slot_words, strict=True):
                is_known &= in_slot[slots[rows]] == word[rows]
            codes[rows[is_known]] = found[is_known]
            left = rows[~is_known]
            helps = len(left) > AT_ONCE and (len(left) < len(rows) or len(rows) == len(slots))
            told, rows = (left[:AT_ONCE], left[AT_ONCE:]) if helps else (left, left[:0])
            codes[told] = self._coded(strings.texts(told))
            self._slot_codes[slots[told]] = codes[told]
            for word, in_slot in zip(words, self._slot_words, strict=True):
                in_slot[slots[told]] = word[told]
            if not len(rows):
                return codes

    def cells(self) -> Texts:
        """Return the whole column, and let go of its blocks."""
        codes, given = _joined(self._blocks, np.int32), list(self._codes)
        self._codes.clear()
        texts = [text.strip() for text in given]
        if texts == given:
            return Texts(texts, codes)
        places = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        # The last one is that of a null.
        new = np.array([*(places[text] for text in texts), MISSING], np.int32)
        return Texts(list(places), new[codes])


def _words(strings: Strings, lengths: NDArray[np.integer], count: int) -> list[NDArray[np.uint64]]:
    """Return the first `count` words of 8 bytes of each text, with zeros behind its end."""
    padded = np.concatenate([strings.data, np.zeros(8, np.uint8)])
    at = as_strided(padded.view(np.uint8)[: len(padded) // 8 * 8].view("<u8"), (len(padded) - 7,), (1,))
    starts = strings.offsets[:-1]
    return [
        at[np.minimum(starts + 8 * k, len(strings.data))] & _MASKS[np.clip(lengths - 8 * k, 0, 8)]
        for k in range(count)
    ]


Number = TypeVar("Number", np.float64, np.int32)


def _joined(parts: list[NDArray[Number]], dtype: type[Number]) -> NDArray[Number]:
    whole = np.concatenate(parts) if parts else np.empty(0, dtype)
    parts.clear()
    return whole
