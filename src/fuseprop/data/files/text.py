"""The text of a file: decoded, with one kind of line end, and refused where it is none."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

import numpy as np

from ..errors import DataError
from .opening import BLOCK, PACKED, REFUSED, Named

KIND = "a table as text, such as CSV"
HINT = "Save it as CSV in UTF-8."

LONGEST_LINE = 4 * BLOCK
"""Lines of more bytes are refused: a parser takes many times their size in memory."""

FEWEST_LINES = 10
"""Lines of a sample: some comments, the header, some rows."""

MARK = codecs.BOM_UTF8
"""A byte order mark; at the beginning of a file it says that the text is in UTF-8."""

MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encodings by the mark that begins the file; UTF-32's stands before UTF-16's, which it begins with."""

BEHIND_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""Encodings of what is read without the mark."""

UNITS = {"utf-16-le": "<u2", "utf-16-be": ">u2", "utf-32-le": "<u4", "utf-32-be": ">u4"}
"""Encodings in which the characters of line ends have more than one byte."""

NEAR = 1 << 16
"""Bytes that are read at a time in the search for the end of a line."""

LEGACY = "cp1252"
"""The encoding of text that is not in UTF-8: Latin-1 as Windows writes it."""

NAMES = {"utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-32": "UTF-32", LEGACY: "Windows-1252 (Latin-1)"}
"""The encodings that a note names."""


class NotUTF8(Exception):
    """The text was plain ASCII so far, and goes on with bytes that are not UTF-8; why it would be refused."""


class Text:
    """The text of a file, read as often as needed.

    Attributes
    ----------
    named : Named
    encoding : str
        Found by the first MiB, or by the first bytes that are not UTF-8 behind nothing but ASCII: see
        `use_legacy`.
    """

    def __init__(self, named: Named, encodings: tuple[str, str] | None = None) -> None:
        self.named = named
        self.place = named.place
        self.encoding, self._within = encodings or _encodings(_head(named))

    @property
    def encodings(self) -> tuple[str, str]:
        """What makes a `Text` of the same file without reading its head."""
        return self.encoding, self._within

    @property
    def unit(self) -> int:
        """How many bytes a line end has at least."""
        return np.dtype(UNITS.get(self._within, "u1")).itemsize

    def use_legacy(self) -> None:
        """Read the text as Windows-1252 from now on, after `NotUTF8`."""
        self.encoding = self._within = LEGACY

    def note(self) -> str:
        """Return what is told of the encoding; "" for UTF-8."""
        name = NAMES.get(self.encoding, "")
        return f"The text is not in UTF-8: it was read as {name}." if name else ""

    def blocks(self, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        r"""Yield the text in UTF-8, block by block, without its byte order mark, lines ending in \n.

        Of a file that is not compressed, it may be the text between two bytes, each of which begins a line.
        Raises DataError for NULs, a byte order mark within the text, bytes that are no text in the encoding,
        and lines of more than 4 MiB; NotUTF8 as the class says.
        """
        without_end = 0
        for block in _with_newlines(self._decoded(begin, end)):
            first, last = block.find(b"\n"), block.rfind(b"\n")
            if (len(block) if first < 0 else first) + without_end > LONGEST_LINE:
                raise self._too_long()
            without_end = without_end + len(block) if last < 0 else len(block) - last - 1
            yield block

    def behind_line_ends(self, begin: int, count: int) -> int:
        r"""Return the byte behind the `count`-th end of a line that stands at byte `begin` or behind it.

        \r\n is one end. Without so many, it is the byte behind the last one of the file, which must not be
        compressed. Raises DataError for lines that are too long.
        """
        if not count:
            return begin
        waiting, since = b"", begin
        size, unit = self.named.size(), self.unit
        for block in self.named.piece(begin, size, NEAR):
            content = waiting + block
            characters = np.frombuffer(content[: len(content) // unit * unit], UNITS.get(self._within, "u1"))
            is_end = (characters == ord("\n")) | (characters == ord("\r"))
            is_end[:-1] &= (characters[:-1] != ord("\r")) | (characters[1:] != ord("\n"))
            ends = np.flatnonzero(is_end[: len(is_end) - (begin + len(content) < size)])
            if len(ends) >= count:
                return begin + unit * (int(ends[count - 1]) + 1)
            count -= len(ends)
            waiting = content[(len(characters) - 1) * unit :]
            since = begin + unit * int(ends[-1]) if len(ends) else since
            begin += len(content) - len(waiting)
            if begin - since > unit * LONGEST_LINE:
                raise self._too_long()
        return size

    def _too_long(self) -> DataError:
        return DataError(
            f"{self.place} has a line of more than {LONGEST_LINE:,} bytes; expected a line for each row."
        )

    def sample(self) -> tuple[bytes, bool]:
        """Return the text's first MiB, or more where that has few lines, and whether that is all of it."""
        content = b""
        for block in self.blocks():
            content += block
            if len(content) >= BLOCK and content.count(b"\n") >= FEWEST_LINES:
                return content, False
        return content, True

    def _decoded(self, begin: int, end: int | None) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(self._within if begin else self.encoding)()
        position, is_ascii, waiting = begin, True, False
        is_utf8 = self.encoding == "utf-8"
        for block in self._and_end(begin, end):
            if is_utf8 and not waiting and block.isascii():
                text = block
            else:
                if is_utf8:
                    self._check_nul(block, position)
                try:
                    text = decoder.decode(block, final=not block).encode()
                except UnicodeError as error:
                    if is_utf8 and is_ascii and position and _is_legacy(block):
                        raise NotUTF8(str(self._undecodable(position, error))) from error
                    raise self._undecodable(position, error) from error
                waiting = bool(decoder.getstate()[0])
                if not position and text.startswith(MARK):
                    text = text[len(MARK) :]
                    position += len(MARK)
                mark = text.find(MARK)
                if mark >= 0:
                    raise DataError(
                        f"{self.place} has a byte order mark at byte {position + mark:,}, as where files "
                        f"were joined. Remove it, and the header that follows."
                    )
                is_ascii = is_ascii and text.isascii()
            self._check_nul(text, position)
            position += len(text)
            if text:
                yield text

    def _check_nul(self, text: bytes, position: int) -> None:
        nul = text.find(b"\0")
        if nul >= 0:
            raise _binary(self.place, position + nul)

    def _and_end(self, begin: int, end: int | None) -> Iterator[bytes]:
        """Yield the file's blocks, and an empty one, at which a decoder says what is missing."""
        yield from self.named.blocks() if end is None else self.named.piece(begin, end)
        yield b""

    def _undecodable(self, position: int, error: UnicodeError) -> DataError:
        name = {"utf-8": "UTF-8"}.get(self.encoding) or NAMES[self.encoding]
        behind = f" behind byte {position:,}" if position else ""
        return DataError(
            f"{self.place} holds bytes{behind} that are no text in {name}. Save it as CSV in UTF-8."
        )


def check_beginning(head: bytes, place: str) -> None:
    """Raise DataError for a NUL in the first MiB of a file, as it is stored, that holds text."""
    if not head.startswith((*PACKED, *REFUSED)) and _encoding(head) in ("utf-8", LEGACY) and b"\0" in head:
        raise _binary(place, head.index(b"\0"))


def _binary(place: str, position: int) -> DataError:
    return DataError(
        f"{place} holds binary data (a NUL at byte {position:,}); expected a table as text, such as CSV."
    )


def _head(named: Named) -> bytes:
    return next(named.blocks(), b"")


def _encodings(head: bytes) -> tuple[str, str]:
    """Return the encoding of a text with this head, and that of the text behind a mark at its beginning."""
    encoding = _encoding(head)
    return encoding, next((one for mark, one in BEHIND_MARKS.items() if head.startswith(mark)), encoding)


def _encoding(head: bytes) -> str:
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            return encoding
    beginning = head[:1000]
    if len(beginning) >= 4 and not any(beginning[1::2]) and all(beginning[::2]):
        return "utf-16-le"
    return LEGACY if b"\0" not in head and _is_legacy(head) else "utf-8"


def _is_legacy(block: bytes) -> bool:
    """Whether bytes are text in Windows-1252, whose letters hardly ever form a character of UTF-8.

    The majority tells such text from one in UTF-8 with a damaged byte, which is refused where that stands.
    """
    if block.isascii():
        return False
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(block)
    wrong = len(re.findall("[\udc80-\udcff]", text))
    right = len(re.findall("[^\0-\x7f\udc80-\udcff]", text)) if wrong else 0
    return wrong > right


def _with_newlines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    r"""Yield blocks with \n for \r\n and \r."""
    waiting = b""
    for block in blocks:
        block = waiting + block
        waiting = b""
        if b"\r" in block:
            if block.endswith(b"\r"):
                block, waiting = block[:-1], b"\r"
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if block:
            yield block
    if waiting:
        yield b"\n"
