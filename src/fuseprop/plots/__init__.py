"""Pictures: what is in one, as numbers and words, and how matplotlib draws it.

Only drawing needs matplotlib, the extra "plots".
"""

from .draw import PlotsUnavailable, check_plot, draw_figure, save_figure
from .figure import Bars, Curve, Figure, Panel, Regions
from .importance import importance_figure
from .training import training_figure

__all__ = [
    "Bars",
    "Curve",
    "Figure",
    "Panel",
    "PlotsUnavailable",
    "Regions",
    "check_plot",
    "draw_figure",
    "importance_figure",
    "save_figure",
    "training_figure",
]
