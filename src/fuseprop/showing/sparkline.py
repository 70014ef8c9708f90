"""Curves so small that they stand in a line of text: an SVG of at most 2 KB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..checks.quoting import six_digits
from .html import escaped

WIDTH, HEIGHT = 260, 60
"""Pixels of the plane of the curves."""

LEFT, BELOW = 50, 14
"""Pixels for the numbers at the axes."""

PIECES = 28
"""Of each of that many pieces of a curve the lowest and the highest value are drawn."""

DASHES = ("", ' stroke-dasharray="5 3"', ' stroke-dasharray="1 3"')
"""How curves differ, the first one first."""

WORDS = ("line", "dashes", "dots")
"""The same in words."""


def sparkline(curves: Mapping[str, Sequence[float]], x_label: str, y_label: str) -> str:
    """Return up to three curves of numbers 1, 2, ..., with what they are below; none without two finite ones.

    The axis is logarithmic where all numbers are above 0. Numbers that are not finite are left out, and
    counted.
    """
    values = {name: np.array(curve, np.float64) for name, curve in curves.items() if len(curve)}
    everything = np.concatenate([*values.values(), []])
    finite = everything[np.isfinite(everything)]
    if len(finite) < 2:
        return ""
    low, high, last = float(finite.min()), float(finite.max()), max(map(len, values.values()))
    is_log = low > 0
    scaled = np.log if is_log else np.asarray
    bottom, top = float(scaled(low)), float(scaled(high))

    def drawn(curve: np.ndarray, dash: str) -> str:
        points = []
        for i in _kept(curve):
            x = LEFT + WIDTH * (i / (last - 1) if last > 1 else 0.5)
            y = HEIGHT * ((top - float(scaled(curve[i]))) / (top - bottom) if top > bottom else 0.5)
            points.append(f"{x:.0f},{y + 2:.0f}")
        return f'<polyline{dash} points="{" ".join(points)}"/>'

    shapes = "".join(map(drawn, values.values(), DASHES))
    words = ", ".join(f"{name} ({word})" for name, word in zip(values, WORDS, strict=False))
    missing = len(everything) - len(finite)
    about = f"{y_label} by {x_label}{', logarithmic' * is_log}: {words}"
    about += f"; {missing} not finite, left out" if missing else ""
    axes = f'<path stroke-width=".5" d="M{LEFT - 3} 0V{HEIGHT + 5}H{LEFT + WIDTH}"/>'
    numbers = [
        (LEFT - 6, 9, six_digits(float(f"{high:.3g}"))),
        (LEFT - 6, HEIGHT + 4, six_digits(float(f"{low:.3g}"))),
        (LEFT + 4, HEIGHT + BELOW + 3, "1"),
        (LEFT + WIDTH, HEIGHT + BELOW + 3, str(last)),
    ]
    texts = "".join(f'<text x="{x}" y="{y}">{text}</text>' for x, y, text in numbers)
    size = f'width="{LEFT + WIDTH + 4}" height="{HEIGHT + BELOW + 6}"'
    return (
        f'<figure><svg role="img" aria-label="{escaped(about)}" {size} fill="none" stroke="currentColor">'
        f'{axes}{shapes}<g fill="currentColor" stroke="none" font-size="10" text-anchor="end">{texts}</g>'
        f"</svg><figcaption>{escaped(about)}</figcaption></figure>"
    )


def _kept(curve: np.ndarray) -> list[int]:
    """Return the places of the finite numbers that are drawn: the lowest and the highest of each piece."""
    places = np.flatnonzero(np.isfinite(curve))
    pieces = [piece for piece in np.array_split(places, PIECES) if len(piece)]
    extremes = {int(piece[find(curve[piece])]) for piece in pieces for find in (np.argmin, np.argmax)}
    return sorted(extremes | {int(place) for place in places[[0, -1]]}) if len(places) else []
