"""Files: from any file with a table to a `Source` of its cells.

==================  =====================================================================================
opening             files as bytes, unpacked where they are compressed; standard input
text                the text of a file: its encoding, line ends, and what is no text
dialect             how a delimited file is written, by its first MiB; header: its names
rows                rows read one by one, by the standard library
duck                DuckDB as a tokenizer that detects nothing and opens nothing else; arrow: its blocks
cellwise            columns of numbers and of texts, put together block by block
delimited           CSV in all its dialects; parquet (arrow_schema), jsonlines: other formats; several
shares              what of each file is whose, of several processes; own_text: of a text; quotes: rows in it
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
from .jsonlines import SUFFIXES, JsonLines, not_shared
from .opening import Named, check_uncompressed, refusing
from .parquet import MAGIC, Parquet
from .several import Several
from .shares import Shares, shares_in
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
    world : Processes
        The processes that share the rows, and all call this alike. Each reads its own share of the bytes or
        the row groups, and no others but what `Delimited` and `Parquet` say.

    Raises DataError for a file that cannot be read, and with what to type where DuckDB is not installed; in
    several processes also, with the line that converts it, for one of which no part can be read alone:
    standard input, JSON lines and whatever is compressed.
    """
    paths = [path] if isinstance(path, str | PathLike) else path
    if not paths:
        raise DataError("expected the path of a file, got none.")
    files = [Named(one, any_size=any_size) for one in paths]
    shares = shares_in(files, world, KIND, HINT)
    sources = [_opened(file, share, any_size=any_size) for file, share in zip(files, shares, strict=True)]
    return sources[0] if len(sources) == 1 else Several(sources, needed)


def _opened(named: Named, shares: Shares, *, any_size: bool) -> Source:
    world, kind = shares.world, ""
    with refusing(named, KIND, HINT, world):
        if not world.rank:
            kind = _kind(named, is_shared=world.size > 1)
    kind = world.of_first(kind)
    if kind == "parquet":
        return Parquet(named, shares, any_size=any_size)
    return JsonLines(named, world) if kind == "json lines" else Delimited(named, shares)


def _kind(named: Named, *, is_shared: bool) -> str:
    """Return "parquet", "json lines" or "delimited"; raise DataError for what cannot be shared, if it is."""
    head = named.beginning()
    if head.startswith(MAGIC):
        return "parquet"
    if named.is_input:
        check_beginning(head, named.place)  # before all of it is copied: it may never end
    if is_shared:
        check_uncompressed(named, head)
    beginning = next(named.blocks(), b"")[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()
    if beginning.startswith(b"{") or any(suffix in named.path.suffixes for suffix in SUFFIXES):
        if is_shared:
            raise not_shared(named)
        return "json lines"
    return "delimited"
