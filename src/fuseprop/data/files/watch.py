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


def _has_doubtful(text: bytes, delimiter: bytes) -> bool:
    if b"+-" in text:
        return True
    characters = np.frombuffer(text, np.uint8)
    is_digit = characters - ord("0") < 10  # of uint8, so that what is below 0 is large
    if b"_" in text:
        at = np.flatnonzero(characters[1:-1] == ord("_"))
        if (is_digit[at] & is_digit[at + 2]).any():
            return True
    starts = b'\n"' + delimiter
    has_blanks = any(bytes([start]) + blank in text for start in starts for blank in (b" ", b"\t"))
    begins = _any_of(characters, starts + (b" \t" if has_blanks else b""))
    begins[1:] |= begins[:-1] & _any_of(characters[1:], b"+-")
    code = begins[:-2] & (characters[1:-1] == ord("0")) & is_digit[2:]
    return bool(code.any())


def _any_of(characters: NDArray[np.uint8], wanted: bytes) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = characters == wanted[0]
    for one in wanted[1:]:
        found |= characters == one
    return found
