"""Files: from any file with a table to a `Source` of its cells."""

from __future__ import annotations

from os import PathLike

from ..cells import Source
from .delimited import Delimited
from .opening import Named


def open_source(path: str | PathLike[str], *, any_size: bool = False) -> Source:
    """Return the columns of a file."""
    return Delimited(Named(path, any_size=any_size))
