"""Rows of delimited text, read one by one by the standard library: for samples, wide files and bad rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator

from ...checks.quoting import printable
from .text import LONGEST_LINE

BLANKS = " "
"""The delimiter of cells with any number of spaces and tabs between them."""


class BadRow(Exception):
    """A row that cannot be divided into cells: the line in which it begins, counted from 1, and why."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(line, why)
        self.line, self.why = line, why


OPEN_QUOTE = 'a quote in it is never closed. Close it, or write it twice ("") where it is no end of a cell'


def _why(said: str) -> str:
    """Return why `csv` refuses a row, by what it says."""
    if "expected after" in said:
        return 'text follows the end of a quoted cell. Write quotes within a cell twice ("")'
    return f"a cell is longer than {LONGEST_LINE >> 20} MiB" if "field larger" in said else printable(said)


def lines_of(blocks: Iterable[bytes]) -> Iterator[str]:
    r"""Yield the lines of a text in UTF-8, each with its \n."""
    rest = b""
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if not end:
            rest += block
            continue
        # Without `splitlines`, which also takes U+2028 and form feeds for ends of lines.
        lines = (rest + block[:end]).decode().split("\n")
        rest = block[end:]
        lines.pop()
        for line in lines:
            yield f"{line}\n"
    if rest:
        yield rest.decode()


_PIECE = re.compile(r'[ \t]+|(?<![^ \t])"[^"]*(?:""[^"]*)*("?)')
"""Blanks, or a cell in quotes, with the quote that closes it if that stands in its line."""

_REST = re.compile('[^"]*(?:""[^"]*)*')
"""What is left of a cell in quotes, up to the quote that closes it."""


def _with_single_blanks(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines with one blank for all spaces and tabs between cells; those in quotes stay as they are."""
    is_open = False

    def single(piece: re.Match[str]) -> str:
        nonlocal is_open
        if piece[1] is None:
            return " "
        is_open = not piece[1]
        return piece[0]

    for line in lines:
        kept = ""
        if is_open:
            rest = _REST.match(line)
            assert rest is not None  # it matches "" too
            end = rest.end()
            kept, line = line[: end + 1], line[end + 1 :]
            is_open = len(kept) == end
        if is_open:
            yield kept
            continue
        text = _PIECE.sub(single if '"' in line else " ", line if kept else line.lstrip(" \t"))
        yield kept + (text if is_open else text.rstrip(" \n") + "\n")


def rows_of(
    lines: Iterable[str],
    delimiter: str,
    quote: str = '"',
    first: int = 1,
    *,
    strict: bool = True,
    one_column: bool = False,
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line where each row begins, counted from `first`, and its cells without space around.

    Empty lines are no rows, but in a table of `one_column`, where they are missing cells. If `strict`, raises
    BadRow for a quote that is not closed and for text behind one that is; in any case for a cell of more
    than 4 MiB.
    """
    source = lines if delimiter != BLANKS else _with_single_blanks(lines)
    reader = csv.reader(source, delimiter=delimiter, quotechar=quote, skipinitialspace=True, strict=strict)
    line = first
    while True:
        try:
            # The limit is one for the whole process, in which others may count on it between two rows.
            limit = csv.field_size_limit(LONGEST_LINE)
            try:
                cells = next(reader)
            finally:
                csv.field_size_limit(limit)
        except StopIteration:
            return
        except csv.Error as error:
            if "end of data" in str(error):
                raise BadRow(line, OPEN_QUOTE) from error
            raise BadRow(line, _why(str(error))) from error
        if cells or one_column:
            yield line, list(map(str.strip, cells)) or [""]
        line = first + reader.line_num
