"""A small chart in SVG: two axes; marks and dashes tell the series apart, so that grey paper is enough.

It needs no plotting library, and lies in a page or in a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import log10

from ..checks.quoting import three_digits

WIDTH, HEIGHT = 1060, 500
LEFT, RIGHT, TOP, BOTTOM = 80, 190, 44, 76

DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4", "12 4", "1 2", "6 2 1 2 1 2", "3 1")


@dataclass(frozen=True)
class Axis:
    """A label with its unit, the range, and where to write what; `logarithmic` axes take positive values."""

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies between low (0) and high (1)."""
        low, high, value = (
            (log10(v) for v in (self.low, self.high, value))
            if self.logarithmic
            else (self.low, self.high, value)
        )
        return (value - low) / (high - low)


@dataclass(frozen=True)
class Series:
    """A name and points (x, low, middle, high), low and high the ends of an interval."""

    name: str
    points: Sequence[tuple[float, float, float, float]]


def decades(low: float, high: float) -> list[float]:
    """Return the powers of ten from the one at or below `low` to the one at or above `high`."""
    first, last = int(log10(low) // 1), int(-(-log10(high) // 1))
    return [10.0**e for e in range(first, max(last, first + 1) + 1)]


def logarithmic(label: str, values: Sequence[float]) -> Axis:
    """Return a logarithmic axis over all values; ticks at 1, 2, 5 where there are few powers of ten."""
    low, high = 0.7 * min(values), 1.4 * max(values)
    steps = (1.0,) if high / low > 1e3 else (1.0, 2.0, 5.0)
    ticks = [s * d for d in decades(low, high) for s in steps if low <= s * d <= high]
    return Axis(label, low, high, [(t, number_of_tick(t)) for t in ticks], logarithmic=True)


def number_of_tick(value: float) -> str:
    """Return 0.1, 1, 20, 1,000."""
    return f"{value:,.0f}" if value >= 1 else three_digits(value).rstrip("0")


def chart(
    title: str,
    x: Axis,
    y: Axis,
    series: Sequence[Series],
    *,
    rule: float | None = None,
    bold: int = 1,
    posts: Sequence[tuple[float, str]] = (),
) -> str:
    """Return an SVG document.

    The first `bold` series are drawn boldest; `rule` is a horizontal line, `posts` are vertical ones, each
    with its words at the top.
    """
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT

    def at(px: float, py: float) -> tuple[float, float]:
        return LEFT + x.share(px) * (right - LEFT), bottom - y.share(py) * (bottom - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="#111">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 24, title, size=15),
        _text((LEFT + right) / 2, HEIGHT - 10, x.label, anchor="middle"),
        f'<g transform="translate(18 {(TOP + bottom) / 2:.1f}) rotate(-90)">'
        + _text(0, 0, y.label, anchor="middle")
        + "</g>",
    ]
    for value, label in x.ticks:
        px, _ = at(value, y.low)
        parts.append(_line(px, TOP, px, bottom, "#e4e4e4"))
        for i, line in enumerate(label.split("\n")):
            parts.append(_text(px, bottom + 17 + 14 * i, line, anchor="middle", size=11))
    for value, label in y.ticks:
        _, py = at(x.low, value)
        parts.append(_line(LEFT, py, right, py, "#e4e4e4"))
        parts.append(_text(LEFT - 8, py + 4, label, anchor="end", size=11))
    parts.append(
        f'<rect x="{LEFT}" y="{TOP}" width="{right - LEFT}" height="{bottom - TOP}" '
        f'fill="none" stroke="#111"/>'
    )
    if rule is not None:
        _, py = at(x.low, rule)
        parts.append(_line(LEFT, py, right, py, "#111"))
    for place, words in posts:
        px, _ = at(place, y.low)
        parts.append(_line(px, TOP, px, bottom, "#111"))
        parts.append(_text(px + 6, TOP + 16, words))
    for i, one in reversed(list(enumerate(series))):
        points = [(*at(px, mid), at(px, low)[1], at(px, high)[1]) for px, low, mid, high in one.points]
        parts += _draw(i, points, is_bold=i < bold)
    for i, one in enumerate(series):
        py = TOP + 10 + 22 * i
        parts += _draw(i, [(right + 14.0, py, py, py), (right + 44.0, py, py, py)], is_bold=i < bold)
        parts.append(_text(right + 54, py + 4, one.name))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _draw(i: int, points: Sequence[tuple[float, float, float, float]], *, is_bold: bool) -> list[str]:
    """A line through (x, y), a mark at each and a bar from low to high."""
    dash = DASHES[i % len(DASHES)]
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py, _, _ in points)
    line = (
        f'<polyline points="{path}" fill="none" stroke="{"#000" if is_bold else "#555"}" '
        f'stroke-width="{2.4 if is_bold else 1.2}" stroke-dasharray="{dash}"/>'
    )
    bars = [_line(px, low, px, high, "#555") for px, _, low, high in points if abs(low - high) > 1]
    return [line, *bars, *(MARKS[i % len(MARKS)](px, py) for px, py, _, _ in points)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'


def _shape(corners: Sequence[tuple[float, float]], fill: str) -> Callable[[float, float], str]:
    def mark(x: float, y: float) -> str:
        points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
        return f'<polygon points="{points}" fill="{fill}" stroke="#111"/>'

    return mark


def _circle(radius: float, fill: str) -> Callable[[float, float], str]:
    return lambda x, y: f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}" stroke="#111"/>'


_SQUARE = ((-4, -4), (4, -4), (4, 4), (-4, 4))
_UP, _DOWN = ((-5, 4), (5, 4), (0, -5)), ((-5, -4), (5, -4), (0, 5))
_DIAMOND = ((0, -6), (6, 0), (0, 6), (-6, 0))
_STAR = ((0, -6), (1.5, -1.5), (6, 0), (1.5, 1.5), (0, 6), (-1.5, 1.5), (-6, 0), (-1.5, -1.5))

MARKS = (
    _circle(5, "#000"),
    _shape(_SQUARE, "#fff"),
    _shape(_UP, "#fff"),
    _shape(_DIAMOND, "#fff"),
    _shape(_DOWN, "#fff"),
    _circle(4.5, "#fff"),
    _shape(_SQUARE, "#777"),
    _shape(_UP, "#777"),
    _shape(_DIAMOND, "#777"),
    _shape(_STAR, "#fff"),
    _shape(_DOWN, "#777"),
)
