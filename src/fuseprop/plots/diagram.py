"""A small network as boxes and arrows, a number on each: laid out here, drawn in `drawing`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..backend import HostArray

FONT = 8.0
"""The size of all texts in points."""

EM = FONT / 72
"""The same in inches."""

NARROW, WIDE, WIDEST_CHARACTER = 0.4, 0.65, 1.0
"""Bounds on the widths of characters in ems: of those in `THIN`, of most others, and of those in `BROAD`."""

THIN, BROAD = " .,:;|/()'-ijlftr[]", "=+<>mwMW%@"

BOLD = 1.2
"""How many times as wide as other texts headings are at most."""

LINE = 1.35
"""The height of a line of text in ems."""

PADDING = 0.08
"""Between a text and what surrounds it, in inches."""

STEP = 0.35
"""By so many inches columns move apart until no two texts between them meet."""

FARTHEST = 6.0
"""The most inches between two columns."""


class Arrow(NamedTuple):
    """An arrow from a box of a column to one of the next, as numbers of boxes from 0, with its number.

    A text that is empty is not drawn.
    """

    start: int
    end: int
    text: str
    value: float


@dataclass(frozen=True)
class Node:
    """A box with lines of text: its centre and size in inches."""

    x: float
    y: float
    width: float
    height: float
    lines: Sequence[str]


@dataclass(frozen=True)
class Edge:
    """An arrow between the sides of two boxes, and a text on it.

    Attributes
    ----------
    begin, end : (float, float)
        Where it begins and ends, in inches.
    text : str
    place : (float, float)
        The centre of the text, a point of the arrow.
    strength : float
        The number that it stands for over the largest one between the two columns: from -1 to 1.
    """

    begin: tuple[float, float]
    end: tuple[float, float]
    text: str
    place: tuple[float, float]
    strength: float


@dataclass(frozen=True)
class Diagram:
    """Columns of boxes from left to right, joined by arrows; all places in inches, from the lower left.

    Attributes
    ----------
    nodes : sequence of Node
    edges : sequence of Edge
    headings : sequence of (float, str)
        What stands above each column, with the x of its middle.
    width, height : float
        The room that it needs. With more room its parts move apart; with less, texts would meet.
    """

    nodes: Sequence[Node]
    edges: Sequence[Edge]
    headings: Sequence[tuple[float, str]]
    width: float
    height: float

    @classmethod
    def of(
        cls,
        columns: Sequence[Sequence[Sequence[str]]],
        arrows: Sequence[Sequence[Arrow]],
        headings: Sequence[str],
        *,
        backward: bool = False,
    ) -> Diagram:
        """Lay out columns of boxes, each with its lines of text, and the arrows between two columns each.

        The columns stand as far apart as the texts on the arrows need. With `backward`, arrows point to the
        left.

        Raises ValueError where the arrows are too many for their texts to be told apart.
        """
        widths = [
            max(BOLD * text_width(heading), *(text_width(line) for lines in column for line in lines))
            + 2 * PADDING
            for heading, column in zip(headings, columns, strict=True)
        ]
        tallest = max(len(lines) for column in columns for lines in column)
        between = tallest * LINE * EM + 5 * PADDING
        height = between * max(map(len, columns)) + LINE * EM
        nodes: list[Node] = []
        edges: list[Edge] = []
        before: list[Node] = []
        x, places = PADDING, []
        for number, (column, width, heading) in enumerate(zip(columns, widths, headings, strict=True)):
            middle = (height - LINE * EM) / 2 + between * (
                np.arange(len(column), 0, -1) - (len(column) + 1) / 2
            )
            heights = [len(lines) * LINE * EM + PADDING for lines in column]
            if number:
                gap = arrows[number - 1]
                begins = np.array([[before[a.start].y, middle[a.end]] for a in gap]).reshape(-1, 2)
                texts = [text_width(arrow.text) if arrow.text else 0.0 for arrow in gap]
                room, found = _labels(begins, texts)
                largest = max(abs(arrow.value) for arrow in gap) or 1.0
                left = before[0].x + before[0].width / 2
                for arrow, ys, fraction in zip(gap, begins.tolist(), found, strict=True):
                    ends = (left, ys[0]), (left + room, ys[1])
                    place = left + fraction * room, ys[0] + fraction * (ys[1] - ys[0])
                    begin, end = reversed(ends) if backward else ends
                    edges.append(Edge(begin, end, arrow.text, place, arrow.value / largest))
                x = left + room
            places.append((x + width / 2, heading))
            before = [
                Node(x + width / 2, float(y), width, tall, lines)
                for y, tall, lines in zip(middle, heights, column, strict=True)
            ]
            nodes += before
        return cls(nodes, edges, places, before[0].x + before[0].width / 2 + PADDING, height)


def text_width(text: str) -> float:
    """Return a bound on the width of a text in inches."""
    ems = [NARROW if each in THIN else WIDEST_CHARACTER if each in BROAD else WIDE for each in text]
    return sum(ems) * EM


def _labels(ys: HostArray, widths: Sequence[float]) -> tuple[float, list[float]]:
    """Return how far apart two columns stand, and where along each arrow its text is, from 0 to 1.

    ys (n, 2) are the heights at which the arrows begin and end.
    """
    room = max(widths) + 6 * PADDING
    while room <= FARTHEST:
        found = _fractions(ys, widths, room)
        if found is not None:
            return room, found
        room += STEP
    raise ValueError(f"there are too many arrows for a number on each: {len(widths)} between two columns.")


def _fractions(ys: HostArray, widths: Sequence[float], room: float) -> list[float] | None:
    """Return places of all texts such that no two meet, and few lie on another arrow; None if none is found.

    Each takes the best of those places that the ones before it have left.
    """
    taken: list[tuple[float, float, float]] = []
    found = []
    for i, width in enumerate(widths):
        best = None
        for fraction in _candidates(width, room):
            x, y = fraction * room, ys[i, 0] + fraction * (ys[i, 1] - ys[i, 0])
            if width and any(_meet((x, y, width), other) for other in taken):
                continue
            cost = _crossed(ys, i, x, y, width, room) + abs(fraction - 0.5)
            if best is None or cost < best[0]:
                best = cost, fraction, (x, y, width)
        if best is None:
            return None
        found.append(best[1])
        taken += [best[2]] if width else []
    return found


def _candidates(width: float, room: float) -> Iterator[float]:
    margin = (width / 2 + PADDING) / room
    yield from np.linspace(margin, 1 - margin, 41).tolist()


def _meet(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    """Whether two texts, each an x, a y and a width, come closer than the padding."""
    return abs(a[0] - b[0]) < (a[2] + b[2]) / 2 + PADDING and abs(a[1] - b[1]) < LINE * EM + PADDING / 2


def _crossed(ys: HostArray, own: int, x: float, y: float, width: float, room: float) -> int:
    """Return how many other arrows pass under a text."""
    at = np.array([x - width / 2, x + width / 2]) / room
    heights = ys[:, :1] + at * (ys[:, 1:] - ys[:, :1])
    half = LINE * EM / 2
    passes = (heights.min(axis=1) < y + half) & (heights.max(axis=1) > y - half)
    return int(passes.sum() - passes[own])
