"""The text of one process's share of a delimited file: the rows that begin between two of its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import DataError
from .opening import refusing
from .quotes import Quotes
from .shares import Shares
from .text import HINT, KIND, NotUTF8, Text


@dataclass(frozen=True)
class _Part:
    """What a process knows of the lines that begin between two bytes.

    Attributes
    ----------
    lines : int
    within : int or None
        How many of them belong to a row that begins before; None where no row begins.
    is_open : bool
        Whether the next part begins within quotes.
    blank : bool
        Whether they hold nothing but white space.
    is_ascii : bool
    not_utf8 : str
        Why the text cannot be read as UTF-8, though it may be Windows-1252; "" where it can.
    """

    lines: int
    within: int | None
    is_open: bool
    blank: bool
    is_ascii: bool
    not_utf8: str = ""


class OwnText:
    """A process's share of the rows of a file; all processes make theirs together.

    Each process goes over its own bytes, which begin at a line, and finds which of the quotes there enclose
    cells: it takes the first line for the beginning of a row, until the process before it knows better. A row
    belongs to the process in whose bytes it begins, and is read to its end.

    Parameters
    ----------
    text : Text
    delimiter : str
    blank : bytes
        Characters of lines that are no rows at the end of a file.
    start : int
        The byte of the file in which the first row begins.
    shares : Shares

    Attributes
    ----------
    lines_before : int
        How many lines there are between the first row of all and the first one of this share.
    is_last : bool
        Whether nothing but white space follows.

    Raises DataError, alike in all processes, for what is no text; see `Text`.
    """

    def __init__(self, text: Text, delimiter: str, blank: bytes, start: int, shares: Shares) -> None:
        self._text, self._delimiter, self._blank = text, delimiter, blank
        self._world = world = shares.world
        self._ends = self._line_starts(start, shares)
        parts = self._united()
        while text.encoding == "utf-8":
            bad = next((part for part in parts if part.not_utf8 or not part.is_ascii), None)
            if bad is None or not any(part.not_utf8 for part in parts):
                break
            if not bad.not_utf8:
                raise DataError(next(part.not_utf8 for part in parts if part.not_utf8))
            text.use_legacy()
            parts = self._united()
        self._within = [part.within for part in parts]
        before = sum(part.lines for part in parts[: world.rank])
        self.lines_before = before + (self._within[world.rank] or 0)
        self.is_last = all(part.blank for part in parts[world.rank + 1 :])

    def _line_starts(self, start: int, shares: Shares) -> list[int]:
        """Return the bytes in which the parts of all processes begin, each at a line, and the end."""
        text = self._text
        with refusing(text.named, KIND, HINT, self._world):
            size = text.named.size()
            places = [start + place for place in shares.of(size - start, text.unit)]
            own = places[self._world.rank]
            if own > start:
                # A line that begins in the byte itself has its predecessor's end before it.
                own = text.behind_line_ends(own - text.unit, 1)
        return [*self._world.gathered(own), size]

    def _united(self) -> list[_Part]:
        """Return what all processes know of their parts, each of which begins as the one before it ends."""
        world, known = self._world, dict[bool, _Part]()
        guessed = [False] * world.size
        while True:
            own = guessed[world.rank]
            with refusing(self._text.named, KIND, HINT, world):
                if own not in known:
                    known[own] = self._followed(is_open=own)
            parts = world.gathered(known[own])
            found = [False, *(part.is_open for part in parts[:-1])]
            # The first part's guess is right, and with each turn that of one more, or of many.
            if found == guessed:
                return parts
            guessed = found

    def _followed(self, *, is_open: bool) -> _Part:
        quotes = Quotes(self._delimiter, is_open=is_open)
        blank = is_ascii = True
        not_utf8 = ""
        try:
            for lines in _whole_lines(self._lines_of(self._world.rank)):
                quotes.follow(lines)
                blank = blank and not lines.strip(self._blank)
                is_ascii = is_ascii and lines.isascii()
        except NotUTF8 as error:
            not_utf8 = str(error)
        return _Part(quotes.lines, quotes.within, quotes.is_open, blank, is_ascii, not_utf8)

    def _lines_of(self, rank: int) -> Iterator[bytes]:
        begin, end = self._ends[rank : rank + 2]
        return self._text.blocks(begin, end) if begin < end else iter(())

    def blocks(self) -> Iterator[bytes]:
        """Yield the text of the share, block by block; see `Text.blocks`."""
        own, *following = range(self._world.rank, self._world.size)
        within = self._within[own]
        if within is None:
            return
        yield from _behind_lines(self._lines_of(own), within)
        for rank in following:
            more = self._within[rank]
            if more is None:
                yield from self._lines_of(rank)
                continue
            yield from _first_lines(self._lines_of(rank), more)
            return


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a text in blocks that end with lines, but for the last one."""
    rest: list[bytes] = []
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if not end:
            rest.append(block)
            continue
        yield b"".join([*rest, block[:end]])
        rest = [block[end:]]
    if any(rest):
        yield b"".join(rest)


def _behind_lines(blocks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Yield a text without its first `count` lines."""
    for block in blocks:
        begin = _behind(block, count) if count else 0
        count -= block.count(b"\n", 0, begin)
        if begin < len(block):
            yield block[begin:] if begin else block


def _first_lines(blocks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Yield the first `count` lines of a text."""
    if not count:
        return
    for block in blocks:
        end = _behind(block, count)
        count -= block.count(b"\n", 0, end)
        yield block[:end]
        if not count:
            return


def _behind(block: bytes, count: int) -> int:
    """Return the place behind the `count`-th line of a block, or that behind the block if it has fewer."""
    place = 0
    for _ in range(count):
        place = block.find(b"\n", place) + 1
        if not place:
            return len(block)
    return place
