"""Checks of a CSV file's bytes before they are parsed: binary data, endless lines, quotes never closed."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from itertools import chain
from typing import BinaryIO

import numpy as np

from .errors import DataError

BLOCK = 1 << 20
LONGEST_LINE = 4 * BLOCK
"""Lines of more bytes are refused: a parser takes many times their size in memory."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
END = "end of file"


def check_bytes(file: BinaryIO, place: str) -> int:
    """Return the number of double quotes in the file, and go back to its beginning.

    Raises DataError for UTF-16, NULs, a byte order mark within the file, and lines of more than 4 MiB.
    `place` names the file in messages.
    """
    quotes = position = without_end = 0
    before = b""
    while block := file.read(BLOCK):
        if position == 0 and block[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(f"{place} is text in UTF-16. Save it as CSV in UTF-8.")
        nul = block.find(b"\0")
        if nul >= 0:
            raise DataError(
                f"{place} holds binary data (a NUL at byte {position + nul:,}); expected a CSV file in UTF-8."
            )
        mark = -1
        if BYTE_ORDER_MARK[:1] in block or BYTE_ORDER_MARK[:1] in before:
            mark = (before + block).find(BYTE_ORDER_MARK, 0 if position else 1)
        if mark >= 0:
            raise DataError(
                f"{place} has a byte order mark at byte {position - len(before) + mark:,}, as where files "
                f"were joined. Remove it, and the header that follows."
            )
        without_end = 0 if b"\n" in block or b"\r" in block else without_end + len(block)
        if without_end > LONGEST_LINE:
            raise DataError(
                f"{place} has a line of more than {LONGEST_LINE:,} bytes; expected a line for each row."
            )
        # Six times as fast as `bytes.count`.
        quotes += int(np.count_nonzero(np.frombuffer(block, np.uint8) == ord('"')))
        position += len(block)
        before = block[-2:]
    file.seek(0)
    return quotes


def check_last_quote(lines: Iterable[str], delimiter: str, place: str) -> None:
    """Raise DataError if a quoted cell never ends: it would take in all rows behind it."""
    first = last = 0
    cells: list[str] = []
    rows = csv.reader(chain(lines, [END]), delimiter=delimiter)
    try:
        for cells in rows:  # noqa: B007 (the last row's are examined below)
            first, last = last + 1, rows.line_num
    except csv.Error:  # the cell is longer than `csv` allows
        first, cells = last + 1, []
    if cells != [END]:  # a cell that is still open has taken the last line in
        raise DataError(
            f"{place}: a quote in the row that begins in line {first} is never closed. Close it, or write it "
            f'twice ("") where it is no end of a cell.'
        )
