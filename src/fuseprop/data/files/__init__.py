"""Files: from any file with a table to a `Source` of its cells.

==================  =====================================================================================
opening             files as bytes, unpacked where they are compressed; standard input
text                the text of a file: its encoding, line ends, and what is no text
dialect             how a delimited file is written, by its first MiB; header: its names
rows                rows read one by one, by the standard library
duck                DuckDB as a tokenizer that detects nothing and opens nothing else; arrow: its blocks
cellwise            columns of numbers and of texts, put together block by block
delimited           CSV in all its dialects; parquet (arrow_schema), jsonlines: other formats; several
==================  =====================================================================================

DuckDB never sees the name of a file of text, but a pipe by which the checked text comes to it; nor is it
asked what a column holds. Needs the extra "tables".
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from ...world import ALONE, Processes
from ..cells import Source
from ..errors import DataError
from .delimited import Delimited
from .jsonlines import SUFFIXES, JsonLines
from .opening import Named, refusing
from .parquet import MAGIC, Parquet
from .several import Several
from .text import check_beginning

Path = str | PathLike[str]

KIND = "a table in a CSV, Parquet or JSON lines file"
HINT = "Save it as one."


def open_source(
    path: Path | Sequence[Path],
    *,
    any_size: bool = False,
    needed: Sequence[str] | None = None,
    world: Processes = ALONE,
) -> Source:
    """Return the columns of a file, or of several with the same columns.

    Parameters
    ----------
    path : str, PathLike, or a sequence of them
        Delimited text such as CSV, JSON lines or Parquet, perhaps compressed (.gz, .zst, .bz2, .xz); "-" is
        standard input. Parquet is known by its first bytes, JSON lines by their suffix or their first byte.
    any_size : bool
        Whether a file may unpack to more than 100 times its size, and more than 1 GiB.
    needed : sequence of str, optional
        The columns that several files must have; without, all must have the same.

    Raises DataError for a file that cannot be read, and with what to type where DuckDB is not installed.
    """
    if not isinstance(path, str | PathLike):
        if not path:
            raise DataError("expected the path of a file, got none.")
        sources = [open_source(one, any_size=any_size) for one in path]
        return sources[0] if len(sources) == 1 else Several(sources, needed)
    named = Named(path, any_size=any_size)
    with refusing(named, KIND, HINT):
        head = named.beginning()
        if head.startswith(MAGIC):
            return Parquet(named, any_size=any_size)
        if named.is_input:
            check_beginning(head, named.place)  # before all of it is copied: it may never end
        beginning = next(named.blocks(), b"")[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()
        if beginning.startswith(b"{") or any(suffix in named.path.suffixes for suffix in SUFFIXES):
            return JsonLines(named)
        return Delimited(named)
