"""Which quotes of a delimited text open a cell, and which close one: where a line end is the end of a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .rows import BLANKS

_LINE_END, _BLANK, _QUOTE = b'\n "'


class Quotes:
    """Follows a text, line by line: whether the place behind the lines so far is within quotes.

    Parameters
    ----------
    delimiter : str
    is_open : bool
        Whether the text begins within a cell in quotes.

    A quote opens a cell where the cell begins, with blanks before it at most; elsewhere outside of quotes it
    is a character like others. Within quotes each one closes, and one right behind that opens again: so does
    a quote that is written twice. These are the rules of `rows_of` and of DuckDB.

    Attributes
    ----------
    is_open : bool
    lines : int
        How many lines there were so far.
    within : int or None
        How many lines stand before the first row that begins in the text; None while none does.
    """

    def __init__(self, delimiter: str, *, is_open: bool = False) -> None:
        self._delimiter = delimiter.encode()
        before = "\n" + ("\t" if delimiter == BLANKS else "") + (delimiter if delimiter.isascii() else "")
        self._before = [*before.encode()]
        self.is_open = is_open
        self.lines = 0
        self.within: int | None = None

    def follow(self, lines: bytes) -> None:
        """Go on behind some whole lines."""
        if not lines:
            return
        turns = self._turns(lines) if b'"' in lines else np.empty(0, np.intp)
        if self.within is None:
            begins = np.flatnonzero(np.frombuffer(lines, np.uint8) == _LINE_END) + 1
            begins = np.concatenate([[0], begins[begins < len(lines)]])
            is_open = (np.searchsorted(turns, begins) + self.is_open) % 2 == 1
            outside = np.flatnonzero(~is_open)
            if len(outside):
                self.within = self.lines + int(outside[0])
        self.lines += lines.count(b"\n") + (not lines.endswith(b"\n"))
        self.is_open = bool((len(turns) + self.is_open) % 2)

    def _turns(self, lines: bytes) -> NDArray[np.intp]:
        """Return where quotes open and close cells in turn."""
        characters = np.frombuffer(lines, np.uint8)
        quotes = np.flatnonzero(characters == _QUOTE)
        # In most files all do: each second one is behind what precedes a cell, or right behind another.
        opening = np.arange(int(self.is_open), len(quotes), 2)
        at = quotes[opening]
        again = (opening > 0) & (quotes[opening - 1] == at - 1)
        begins = (at == 0) | np.isin(characters[at - 1], self._before)
        return quotes if (again | begins).all() else self._one_by_one(lines, quotes)

    def _one_by_one(self, lines: bytes, quotes: NDArray[np.intp]) -> NDArray[np.intp]:
        is_open, closed, turns = self.is_open, -2, []
        for at in quotes.tolist():
            if not is_open and closed != at - 1 and not self._begins(lines, at):
                continue
            closed = at if is_open else -2
            is_open = not is_open
            turns.append(at)
        return np.array(turns, dtype=np.intp)

    def _begins(self, lines: bytes, at: int) -> bool:
        """Whether a cell begins at a place outside of quotes."""
        while at and lines[at - 1] == _BLANK and self._delimiter != BLANKS.encode():
            at -= 1
        return not at or lines[at - 1] in self._before or lines.endswith(self._delimiter, 0, at)
