"""matplotlib: loaded when a picture is drawn, and its settings while one is."""

from __future__ import annotations

from typing import Any

from ...installing import how_to_install

SETTINGS = {
    "svg.hashsalt": "fuseprop",
    "font.size": 9,
    "text.usetex": False,  # a user's own settings may say so, and names are not TeX
    "text.parse_math": True,  # numbers on logarithmic axes are matplotlib's own markup
}
"""matplotlib's settings while a figure is drawn."""

DPI = 110
"""Points an inch of a picture of pixels."""


class PlotsUnavailable(RuntimeError):
    """A picture was asked for, but matplotlib is not installed."""


def matplotlib() -> Any:
    """Return the library. Raises PlotsUnavailable, which names the extra."""
    try:
        import matplotlib as library  # an extra, and half a second to import: only when a picture is drawn
    except ImportError as error:
        raise PlotsUnavailable(
            f"pictures need matplotlib, which is not installed. Type: {how_to_install('plots')}."
        ) from error
    return library
