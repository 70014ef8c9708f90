"""Pictures: what is in one, as numbers and words, and how matplotlib draws it.

Only drawing needs matplotlib, the extra "plots".
"""

from .bars import Bars
from .curve import Curve
from .diagram import Arrow, Diagram, Draft, lay_out
from .drawing import PlotsUnavailable, check_plot, draw_figure, save_figure, save_film
from .figure import Figure, Film, Panel
from .images import Images
from .importance import importance_figure
from .landscape import Landscape
from .matrix import Matrix
from .regions import Regions
from .training import training_figure

__all__ = [
    "Arrow",
    "Bars",
    "Curve",
    "Diagram",
    "Draft",
    "Figure",
    "Film",
    "Images",
    "Landscape",
    "Matrix",
    "Panel",
    "PlotsUnavailable",
    "Regions",
    "check_plot",
    "draw_figure",
    "importance_figure",
    "lay_out",
    "save_figure",
    "save_film",
    "training_figure",
]
