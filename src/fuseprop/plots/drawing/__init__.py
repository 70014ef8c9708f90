"""How matplotlib draws a figure, to be read in black and white too: a file for each kind of ground."""

from .figure import as_html, draw_figure, on_page
from .files import MOVING, check_plot, save_figure, save_film
from .library import PlotsUnavailable

__all__ = [
    "MOVING",
    "PlotsUnavailable",
    "as_html",
    "check_plot",
    "draw_figure",
    "on_page",
    "save_figure",
    "save_film",
]
