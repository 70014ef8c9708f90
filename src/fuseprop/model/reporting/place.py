"""Where a page can be written, checked before anything takes time."""

from __future__ import annotations

from pathlib import Path

from ...checks.settings import as_path
from ...plots.drawing.library import matplotlib
from ...storage.atomic import check_place

SUFFIX = ".html"


def check_report(path: str | Path) -> Path:
    """Return the path of a page with pictures.

    Raises PlotsUnavailable without matplotlib, ValueError for another suffix than .html, TypeError if `path`
    is no path, OSError where no file can be written.
    """
    place = as_path(path, "run.html")
    if place.suffix != SUFFIX:
        raise ValueError(f"a report's name must end in {SUFFIX}, got {str(place)!r:.100}.")
    matplotlib()
    check_place(place)
    return place
