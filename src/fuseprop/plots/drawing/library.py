"""matplotlib: loaded when a picture is drawn, and its settings while one is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...installing import how_to_install

SETTINGS = {
    "svg.hashsalt": "fuseprop",
    "font.size": 9,
}
"""matplotlib's settings while a figure is drawn, where they are not its defaults."""

DPI = 110
"""Points an inch of a picture of pixels."""


class PlotsUnavailable(RuntimeError):
    """A picture was asked for, but matplotlib is not installed, or does not start."""


def matplotlib() -> Any:
    """Return the library. Raises PlotsUnavailable, which names the extra, or what keeps it from starting."""
    try:
        import matplotlib as library  # an extra, and half a second to import: only when a picture is drawn
    except ImportError as error:
        raise PlotsUnavailable(
            f"pictures need matplotlib, which is not installed. Type: {how_to_install('plots')}."
        ) from error
    except ValueError as error:  # a backend in MPLBACKEND, or in a user's file, that there is not
        raise PlotsUnavailable(
            f"matplotlib does not start: {error}. Mend its settings, in the variable MPLBACKEND or in a file "
            f"matplotlibrc."
        ) from error
    return library


@contextmanager
def settled() -> Iterator[None]:
    """Draw by matplotlib's defaults and `SETTINGS` alone. Raises PlotsUnavailable.

    The colours of a figure are chosen for a white ground, and its names are no TeX: settings of a user's
    own, such as a dark style, would hide black lines. Equal numbers give equal files with any settings.
    """
    library = matplotlib()
    with library.rc_context():
        library.rcdefaults()
        library.rcParams.update(SETTINGS)
        yield
