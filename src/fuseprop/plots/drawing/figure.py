"""A figure: its panels on a canvas, their axes, grounds, curves and legends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from io import BytesIO
from math import ceil
from re import search
from typing import Any

import numpy as np

from ...backend import HostArray
from ...showing import paragraph, picture
from ..bars import Bars
from ..diagram import Diagram
from ..figure import Figure, Panel
from ..images import Images
from ..landscape import Landscape
from ..matrix import Matrix
from ..regions import Regions
from .axes import scale
from .bars import draw_bars
from .curves import draw_curves
from .diagram import draw_diagram
from .images import draw_images
from .landscape import draw_landscape
from .library import DPI, settled
from .looks import LITERAL, drawable
from .matrix import draw_matrix
from .regions import draw_regions

GROUNDS: dict[type, Callable[..., list[str]]] = {
    Regions: draw_regions,
    Landscape: draw_landscape,
    Bars: draw_bars,
    Images: draw_images,
    Matrix: draw_matrix,
    Diagram: draw_diagram,
}
"""What draws a ground on axes, and returns the names of what it has for the legend."""

MOST = 3
"""Panels side by side."""

WIDEST = 17.0
"""The most inches of a figure with more columns than one."""

AROUND = (0.7, 0.5)
"""Inches that a panel has around a diagram, for titles and for the labels of a panel above or below it."""

LARGEST_OF_LINES = 40_000
"""A picture of a page that takes more bytes as lines is made of pixels too, and the smaller one taken."""

COVERING = 1
"""Pillow's way to choose colours by which the farthest is near: by the median, thin lines lost theirs."""

POINTS_OF_A_PIXEL = 0.75
"""Of a page, by CSS."""

WIDTH, HEIGHT = 4.7, 3.3
"""Inches of a panel with its legend."""


def draw_figure(figure: Figure) -> Any:
    """Return a `matplotlib.figure.Figure`, which a notebook shows. Raises PlotsUnavailable.

    Examples
    --------
    >>> from fuseprop.plots import Curve, Figure, Panel, draw_figure
    >>> losses = Curve("train", [1, 2, 3], [0.9, 0.4, 0.3])
    >>> figure = Figure("losses", [Panel("training", "epoch", "loss", [losses])])
    >>> drawn = draw_figure(figure)
    """
    count = len(figure.panels)
    width, height = _room(figure)
    columns = 2 if count == 4 else min(MOST, count)
    columns = columns if columns * width <= WIDEST else 1
    rows = ceil(count / columns)
    with settled():
        from matplotlib.figure import Figure as Canvas  # not pyplot: no window, no global state

        canvas: Any = Canvas(figsize=(width * columns, 0.4 + height * rows), layout="constrained")
        canvas._repr_png_ = partial(_pixels, canvas)  # by which a notebook shows what pyplot does not know
        if figure.title:
            canvas.suptitle(drawable(figure.title), **LITERAL)
        before: Any = None  # the legend of the panel to the left
        for i, panel in enumerate(figure.panels):
            in_space = isinstance(panel.ground, Landscape) and panel.ground.surface
            axes = canvas.add_subplot(rows, columns, i + 1, projection="3d" if in_space else None)
            legend = _draw(panel, axes)
            if i % columns and before is not None and legend is not None and _alike(before, legend):
                before.remove()  # once in a row of panels is enough
            before = legend
    return canvas


def _room(figure: Figure) -> tuple[float, float]:
    """Return the inches of a panel: those of the largest diagram, where one needs more than others do."""
    diagrams = [panel.ground for panel in figure.panels if isinstance(panel.ground, Diagram)]
    width = max([WIDTH, *(diagram.width + AROUND[0] for diagram in diagrams)])
    return width, max([HEIGHT, *(diagram.height + AROUND[1] for diagram in diagrams)])


def as_png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a .png. Raises PlotsUnavailable."""
    return _pixels(draw_figure(figure))


def as_pixels(figure: Figure) -> HostArray:
    """Return a figure as red, green, blue and opacity (h, w, 4), uint8. Raises PlotsUnavailable."""
    with settled():
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = draw_figure(figure)
        canvas.set_dpi(DPI)
        drawn: Any = FigureCanvasAgg(canvas)
        drawn.draw()
        return np.array(drawn.buffer_rgba())


def as_html(figure: Figure) -> str:
    """Return a figure as a picture in a page, or a line that says why there is none."""
    try:
        return picture(as_png(figure), figure.title)
    except Exception as error:  # a drawing library may raise any of them
        return paragraph(f"Not drawn: {error}")


def on_page(figure: Figure, about: str) -> str:
    """Return a figure as a picture of a page that stays sharp where it is enlarged. Raises PlotsUnavailable.

    It consists of lines, or of pixels at twice the density, in 256 colours, where these take less room.
    """
    canvas = draw_figure(figure)
    made = _written(canvas, format="svg", metadata={"Date": None})
    points = search(rb'<svg[^>]* width="([0-9.]+)pt"', made)
    assert points is not None
    if len(made) > LARGEST_OF_LINES:
        made = min(made, _of_few_colours(_written(canvas, format="png", dpi=2 * DPI)), key=len)
    return picture(made, about, float(points[1]) / POINTS_OF_A_PIXEL)


def _of_few_colours(png: bytes) -> bytes:
    """Return a picture of pixels with a palette: a third of the bytes, and no difference to be seen."""
    from PIL import Image  # matplotlib brings it

    data, pixels = BytesIO(), Image.open(BytesIO(png)).convert("RGB")
    pixels.quantize(method=COVERING, dither=Image.Dither.NONE).save(data, "PNG", optimize=True)
    return data.getvalue()


def _pixels(canvas: Any) -> bytes:
    data = BytesIO()
    with settled():
        canvas.savefig(data, format="png", dpi=DPI)
    return data.getvalue()


def _written(canvas: Any, **how: Any) -> bytes:
    """Return a canvas as the bytes of a file, with all that its texts need around the axes."""
    data = BytesIO()
    with settled():
        canvas.savefig(data, bbox_inches="tight", **how)
    return data.getvalue()


def _draw(panel: Panel, axes: Any) -> Any:
    """Draw a panel; return its legend, or None."""
    axes.set_title(drawable(panel.title), **LITERAL)
    axes.set_xlabel(drawable(panel.x_label), **LITERAL)
    axes.set_ylabel(drawable(panel.y_label), **LITERAL)
    names = [] if panel.ground is None else GROUNDS[type(panel.ground)](panel.ground, axes)
    names += draw_curves(panel.curves, axes, first=len(names))
    scale(panel, axes)
    if len(names) < 2 and (not names or panel.ground is None):
        return None
    # Beside the axes, where it hides nothing; in space, a label of the third axis stands at the top.
    loc, corner = ("lower left", (1.08, 0.0)) if axes.name == "3d" else ("upper left", (1.01, 1.0))
    legend = axes.legend(fontsize=8, loc=loc, bbox_to_anchor=corner, handlelength=3.2)
    _name(legend, names)
    return legend


def _alike(one: Any, other: Any) -> bool:
    """Whether two legends show the same looks with the same names."""

    def content(legend: Any) -> list[Any]:
        looks = [(h.get_marker(), h.get_linestyle(), h.get_color()) for h in legend.legend_handles]
        return [*looks, *(text.get_text() for text in legend.get_texts())]

    return content(one) == content(other)


def _name(legend: Any, names: Iterable[str]) -> None:
    """Write names into a legend that was made with numbers: matplotlib leaves out a name such as _a."""
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set(text=drawable(name), **LITERAL)
