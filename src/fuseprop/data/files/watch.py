"""What is seen in a text while it is passed on: whether rows are lines, and numbers that a cast misreads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray


class Doubtful(Exception):
    """The text has cells that DuckDB casts to numbers though they are none, or may be codes."""


class Watch:
    """Passes the blocks of a text on.

    Parameters
    ----------
    blocks : iterable of bytes
    delimiter : str
    checks : bool
        Whether to raise Doubtful for a cell such as 007, +-1 or 1_000 anywhere. To look for these costs a
        tenth of asking DuckDB about each cell.

    Attributes
    ----------
    one_row_a_line : bool
        Whether so far each line was a row: there were no quotes, and no empty lines.
    """

    def __init__(self, blocks: Iterable[bytes], delimiter: str, *, checks: bool) -> None:
        self._blocks = blocks
        self._delimiter = delimiter.encode()
        self._checks = checks
        self.one_row_a_line = True

    def __iter__(self) -> Iterator[bytes]:
        before = b"\n"
        for block in self._blocks:
            # Three characters tell that a cell begins as a code: its delimiter or sign, 0 and a digit.
            joined = before + block
            if self.one_row_a_line and (b'"' in block or b"\n\n" in joined):
                self.one_row_a_line = False
            if self._checks and _has_doubtful(joined, self._delimiter):
                raise Doubtful
            before = joined[-3:]
            yield block


BLANK = b" \t\x0b\x0c"
"""What a cast passes over before a number."""

AT_ONCE = 1 << 16
"""Bytes that are looked at together: few enough that what is computed of them stays in the cache."""


def _has_doubtful(text: bytes, delimiter: bytes) -> bool:
    # One byte is looked for at 10 GB a second, two that follow each other ten times as slowly.
    rare = bytes(one for one in b"+_" + BLANK if one in text)
    starts = b'\n"' + delimiter
    characters = np.frombuffer(text, np.uint8)
    parts = (characters[max(0, start - 3) : start + AT_ONCE] for start in range(0, len(text), AT_ONCE))
    return any(_is_doubtful(part, starts, rare) for part in parts)


def _is_doubtful(characters: NDArray[np.uint8], starts: bytes, rare: bytes) -> bool:
    """Whether there is a doubtful cell; `rare` are those of the characters +, _ and `BLANK` that occur."""
    is_digit = characters - ord("0") < 10  # of uint8, so that what is below 0 is large
    begins = _any_of(characters, starts)
    if b"_" in rare:
        at = np.flatnonzero(characters[1:-1] == ord("_"))
        if (is_digit[at] & is_digit[at + 2]).any():
            return True
    blanks = rare.strip(b"+_")
    if blanks:
        is_blank = _any_of(characters, blanks)
        if (begins[:-1] & is_blank[1:]).any():
            begins |= is_blank
    is_minus = characters == ord("-")
    begins[1:] |= begins[:-1] & is_minus[1:]
    if b"+" in rare:
        is_plus = characters == ord("+")
        if (is_plus[:-1] & is_minus[1:]).any():
            return True
        begins[1:] |= begins[:-1] & is_plus[1:]
    code = begins[:-2] & (characters[1:-1] == ord("0")) & is_digit[2:]
    return bool(code.any())


def _any_of(characters: NDArray[np.uint8], wanted: bytes) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = characters == wanted[0]
    for one in wanted[1:]:
        found |= characters == one
    return found
