"""Drawing a figure by matplotlib, to be read in black and white too: lines differ by dashes and marks."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from itertools import cycle
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from ..checks.quoting import shown
from ..checks.settings import as_path
from ..installing import how_to_install
from ..storage.atomic import write_atomically
from .figure import Bars, Curve, Figure, Panel, Regions

SUFFIXES = (".png", ".svg", ".pdf")

STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "x", "P", "*")
COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#777777")
"""Black, grey, and four of Okabe & Ito's colours, which the colour-blind tell apart."""

COLUMNS = 3

BAR = "#b9cfe0"
"""The colour of bars: so light that black intervals can be seen on them."""

LONGEST = 80
"""The most characters of a name that are drawn."""

LITERAL = {"parse_math": False}
"""How text is drawn: a name may hold what matplotlib would take for its markup, such as two dollar signs."""

DPI = 110
"""Points an inch of a picture of pixels."""

SETTINGS = {
    "svg.hashsalt": "fuseprop",
    "font.size": 9,
    "text.usetex": False,  # a user's own settings may say so, and names are not TeX
    "text.parse_math": True,  # numbers on logarithmic axes are matplotlib's own markup
}
"""matplotlib's settings while a figure is drawn."""

FEW = 10
"""The most places on a logarithmic axis that have a label each."""


class PlotsUnavailable(RuntimeError):
    """A picture was asked for, but matplotlib is not installed."""


def check_plot(path: str | Path) -> Path:
    """Return a path that a picture can be written to.

    Raises PlotsUnavailable without matplotlib; ValueError for another suffix than .png, .svg and .pdf, and
    for a directory that does not exist.
    """
    path = as_path(path, "plot.png")
    if path.suffix not in SUFFIXES:
        raise ValueError(f"a picture's name must end in {', '.join(SUFFIXES)}, got {str(path)!r}.")
    if not path.parent.is_dir():
        raise ValueError(f"the directory {path.parent} does not exist. Make it first.")
    _matplotlib()
    return path


def draw_figure(figure: Figure) -> Any:
    """Return a `matplotlib.figure.Figure`, which a notebook shows. Raises PlotsUnavailable."""
    columns = min(COLUMNS, len(figure.panels))
    rows = ceil(len(figure.panels) / columns)
    with _matplotlib().rc_context(SETTINGS):
        from matplotlib.figure import Figure as Canvas  # not pyplot: no window, no global state

        class Shown(Canvas):
            """A figure that a notebook shows, though pyplot does not know it."""

            def _repr_png_(self) -> bytes:
                data = BytesIO()
                self.savefig(data, format="png", dpi=DPI)
                return data.getvalue()

        canvas = Shown(figsize=(4.3 * columns, 0.4 + 3.3 * rows), layout="constrained")
        canvas.suptitle(_drawable(figure.title), **LITERAL)
        for i, panel in enumerate(figure.panels, 1):
            _draw(panel, canvas.add_subplot(rows, columns, i))
    return canvas


def save_figure(figure: Figure, path: str | Path) -> None:
    """Draw a figure and write it atomically, in the format that the suffix names. Raises as `check_plot`."""
    path = check_plot(path)
    with _matplotlib().rc_context(SETTINGS):
        canvas = draw_figure(figure)
        data = BytesIO()
        # Without a date, equal numbers give equal files.
        dateless: dict[str, Any] = {} if path.suffix == ".png" else {"Date": None}
        if path.suffix == ".pdf":
            dateless = {"CreationDate": None}
        canvas.savefig(data, format=path.suffix[1:], dpi=DPI, metadata=dateless)
    write_atomically(path, data.getvalue())


def _matplotlib() -> Any:
    try:
        import matplotlib  # an extra, and half a second to import: only when a picture is drawn
    except ImportError as error:
        raise PlotsUnavailable(
            f"pictures need matplotlib, which is not installed. Type: {how_to_install('plots')}."
        ) from error
    return matplotlib


def _drawable(text: str) -> str:
    """Return a name as it is drawn: characters that are invisible, or that SVG forbids, by their numbers."""
    return shown(text, LONGEST)


def _draw(panel: Panel, axes: Any) -> None:
    axes.set_title(_drawable(panel.title), **LITERAL)
    axes.set_xlabel(_drawable(panel.x_label), **LITERAL)
    axes.set_ylabel(_drawable(panel.y_label), **LITERAL)
    if panel.bars is not None:
        _draw_bars(panel.bars, axes)
        return
    if panel.regions is not None:
        _draw_regions(panel.regions, axes)
    looks = zip(cycle(STYLES), cycle(MARKERS), cycle(COLOURS), strict=False)
    for i, (curve, (style, marker, colour)) in enumerate(zip(panel.curves, looks, strict=False)):
        _draw_curve(curve, str(i), axes, style, marker, colour)
    _scale(panel, axes)
    names = [curve.label for curve in panel.curves]
    if panel.regions is not None:  # beside it, hiding nothing
        legend = axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0))
        _name(legend, [*names, *panel.regions.points])
    elif len(names) > 1:
        _name(axes.legend(fontsize=8), names)


def _name(legend: Any, names: Iterable[str]) -> None:
    """Write names into a legend that was made with numbers: matplotlib leaves out a name such as _a."""
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set(text=_drawable(name), **LITERAL)


def _scale(panel: Panel, axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    if panel.regions is not None:
        axes.set_xlim(panel.regions.x1[0], panel.regions.x1[-1])
        axes.set_ylim(panel.regions.x2[0], panel.regions.x2[-1])
        return
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    across = [float(x) for curve in panel.curves for x in curve.x]
    along = [float(y) for curve in panel.curves for y in curve.y]
    if panel.log_x:
        axes.set_xscale("log")
        if len(set(across)) <= FEW:
            axes.set_xticks(sorted(set(across)), [f"{x:g}" for x in sorted(set(across))])
            axes.minorticks_off()
    elif all(x.is_integer() for x in across):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if panel.log_y:
        axes.set_yscale("log")
    elif all(y.is_integer() for y in along):
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if panel.from_zero:
        axes.set_ylim(0.0, 1.1 * max(along, default=1.0))


def _draw_curve(curve: Curve, label: str, axes: Any, style: str, marker: str, colour: str) -> None:
    many = len(curve.x) > 25
    axes.plot(
        curve.x,
        curve.y,
        linestyle="none" if curve.points else style,
        marker=marker,
        markersize=4,
        markevery=None if curve.points or not many else ceil(len(curve.x) / 10),
        color=colour,
        linewidth=1.4,
        label=label,
    )


def _draw_bars(bars: Bars, axes: Any) -> None:
    values, places = np.array(bars.values), np.arange(len(bars.values))
    whiskers = np.stack([values - bars.low, bars.high - values])
    axes.barh(
        *(places, values),
        xerr=whiskers,
        color=BAR,
        edgecolor="black",
        linewidth=0.8,
        error_kw={"ecolor": "black", "elinewidth": 1.2, "capsize": 2.5},
    )
    axes.set_yticks(places, [_drawable(name) for name in bars.names], fontsize=8, **LITERAL)
    axes.set_ylim(len(places) - 0.4, -0.6)
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_regions(regions: Regions, axes: Any) -> None:
    classes = max(2, len(regions.points), int(regions.values.max()) + 1)
    shades = [str(shade) for shade in np.linspace(0.97, 0.72, classes)]
    levels = np.arange(classes + 1) - 0.5
    axes.contourf(regions.x1, regions.x2, regions.values, levels=levels, colors=shades)
    axes.contour(regions.x1, regions.x2, regions.values, levels=levels[1:-1], colors="black", linewidths=1.2)
    looks = zip(cycle(MARKERS), cycle(COLOURS), strict=False)
    for i, (points, (marker, colour)) in enumerate(zip(regions.points.values(), looks, strict=False)):
        axes.plot(
            *(points[:, 0], points[:, 1], marker),
            color=colour,
            markersize=5,
            markeredgecolor="white" if marker not in "x+" else colour,
            markeredgewidth=0.5,
            label=str(i),
        )
