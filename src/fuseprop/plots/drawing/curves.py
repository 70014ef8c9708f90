"""Curves: lines that differ by their dashes, marks at entries where these are few, words beside crosses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from ..curve import Curve, Numbers
from .looks import LITERAL, class_looks, drawable, line_looks

FEW = 25
"""A line of at most so many entries has a mark at each: of more, marks would hide it, or look like data."""

FAINT = {"color": "#aaaaaa", "linewidth": 0.7, "zorder": 2.5}


def draw_curves(curves: Sequence[Curve], axes: Any, *, first: int = 0) -> list[str]:
    """Draw curves, each with its number from `first` for a label; return their names, which words have not.

    Marks alone look as those of classes do, after the `first` ones.
    """
    lines, marks = line_looks(), islice(class_looks(), first, None)
    names: list[str] = []
    bold = [curve for curve in curves if not (curve.faint or curve.points or curve.texts)]
    dashes = {curve.label: dash for curve, (dash, *_) in zip(bold, line_looks(), strict=False)}
    for curve in curves:
        if curve.faint:
            axes.plot(curve.x, curve.y, linestyle=dashes.get(curve.label, "-"), **FAINT)
            continue
        if curve.texts:
            _write(curve, axes)
        if curve.texts and not curve.points:
            continue
        places = (curve.x, curve.y, curve.z) if len(curve.z) else (curve.x, curve.y)
        axes.plot(*places, label=str(first + len(names)), zorder=3, **_look(curve, lines, marks))
        if curve.way:
            _draw_ends(places, axes, axes.lines[-1].get_color())
        names.append(curve.label)
    return names


def _write(curve: Curve, axes: Any) -> None:
    """Write words beside the entries, each towards the middle of the axes, where there is room."""
    middle = sum(axes.get_xlim()) / 2
    around = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    for x, y, text in zip(curve.x, curve.y, curve.texts, strict=True):
        if not text:
            continue
        right = x <= middle
        side = {"ha": "left" if right else "right", "va": "center_baseline"}
        offset = {"xytext": (7 if right else -7, 0), "textcoords": "offset points"}
        axes.annotate(drawable(text), (x, y), fontsize=8, bbox=around, zorder=5, **side, **offset, **LITERAL)


def _look(
    curve: Curve, lines: Iterator[tuple[Any, str, str]], marks: Iterator[tuple[str, str]]
) -> dict[str, Any]:
    if curve.texts:
        return {"linestyle": "none", "marker": "x", "markersize": 6, "color": "black", "markeredgewidth": 1.6}
    if curve.points:
        marker, colour = next(marks)
        edge = {"markeredgecolor": "black", "markeredgewidth": 0.7}
        return {"linestyle": "none", "marker": marker, "markersize": 5, "color": colour, **edge}
    dash, marker, colour = next(lines)
    marked = len(curve.x) <= FEW and not curve.way
    look = {"linestyle": dash, "color": colour, "linewidth": 1.4}
    return {**look, "marker": marker if marked else None, "markersize": 4}


def _draw_ends(places: tuple[Numbers, ...], axes: Any, colour: str) -> None:
    """Draw a ring where a way begins and a disc where it ends, whose white edge shows on its colour."""
    for end, filling, edge, size in ((0, "white", colour, 5.5), (-1, colour, "white", 7.5)):
        at = [[place[end]] for place in places]
        look = {"color": colour, "markerfacecolor": filling, "markeredgecolor": edge}
        axes.plot(*at, "o", markersize=size, zorder=4, **look)
