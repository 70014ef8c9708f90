"""A network of boxes and arrows: the larger its number, the thicker an arrow; dashed where it is negative."""

from __future__ import annotations

from typing import Any

from ..diagram import FONT, LINE, Diagram
from .looks import LITERAL, drawable

POSITIVE, NEGATIVE = "#0072b2", "#d55e00"

BOX = "#eef2f6"
"""So light that black text can be read on it."""


def draw_diagram(diagram: Diagram, axes: Any) -> list[str]:
    """Draw boxes and arrows with their texts, over all of the axes, which have no lines of their own."""
    from matplotlib.patches import FancyBboxPatch

    axes.set_axis_off()
    axes.set_xlim(0.0, diagram.width)
    axes.set_ylim(0.0, diagram.height)
    text = {"ha": "center", "va": "center", "fontsize": FONT, **LITERAL}
    for edge in diagram.edges:
        look = {
            "arrowstyle": "-|>,head_width=0.16,head_length=0.35",
            "linewidth": 0.8 + 2.0 * abs(edge.strength),
            "linestyle": (0, (3, 1.5)) if edge.strength < 0 else "-",
            "color": NEGATIVE if edge.strength < 0 else POSITIVE if edge.strength > 0 else "#777777",
            "shrinkA": 0.0,
            "shrinkB": 0.0,
        }
        axes.annotate("", xy=edge.end, xytext=edge.begin, arrowprops=look, zorder=1)
    for edge in diagram.edges:
        if edge.text:
            around = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
            axes.text(*edge.place, drawable(edge.text), bbox=around, zorder=2, **text)
    for node in diagram.nodes:
        corner = node.x - node.width / 2, node.y - node.height / 2
        axes.add_patch(
            FancyBboxPatch(
                corner,
                node.width,
                node.height,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=BOX,
                edgecolor="black",
                linewidth=0.9,
                zorder=3,
            )
        )
        lines = "\n".join(map(drawable, node.lines))
        axes.text(node.x, node.y, lines, linespacing=LINE - 0.15, zorder=4, **text)
    for x, heading in diagram.headings:
        axes.text(x, diagram.height, drawable(heading), fontweight="bold", **{**text, "va": "top"})
    return []
