"""Where a page can be written, checked before anything takes time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...checks.quoting import shown
from ...checks.settings import as_path
from ...data.table_data import TableData
from ...plots.drawing.library import matplotlib
from ...storage.atomic import check_place, is_same_file
from ..rows import PATH

SUFFIX = ".html"


def check_report(path: str | Path, data: Any = None) -> Path:
    """Return the path of a page with pictures.

    Raises PlotsUnavailable without matplotlib, ValueError for another suffix than .html and for a file that
    `data` names or was read from, TypeError if `path` is no path, OSError where no file can be written.
    """
    place = as_path(path, "run.html")
    if place.suffix != SUFFIX:
        raise ValueError(f"a report's name must end in {SUFFIX}, got {str(place)!r:.100}.")
    for file in _files_of(data):
        if is_same_file(file, place):
            raise ValueError(f"the report would replace {shown(file, None)}, from which the data are read.")
    matplotlib()
    check_place(place)
    return place


def _files_of(data: Any) -> list[Path]:
    """Return the files that data name, as far as they do: the source of a table is in words."""
    each = (
        [data.source] if isinstance(data, TableData) else data if isinstance(data, list | tuple) else [data]
    )
    return [Path(name) for name in each if isinstance(name, PATH)]
