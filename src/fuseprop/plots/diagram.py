"""A small network as boxes and arrows, a number on each: laid out here, drawn in `drawing`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
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

OVERHANG = 0.4
"""By so many inches a heading may be wider than the boxes below it."""

LINE = 1.35
"""The height of a line of text in ems."""

PADDING = 0.08
"""Between a text and what surrounds it, in inches."""

STEP = 0.35
"""By so many inches columns move apart until no two texts between them meet."""

FARTHEST = 6.0
"""The most inches between two columns."""


PLACES = 41
"""So many places along an arrow are tried for its text."""


class Arrow(NamedTuple):
    """An arrow from a box of a column to one of the next, as numbers of boxes from 0, with its number.

    A text that is empty is not drawn.

    Examples
    --------
    >>> from fuseprop.plots import Arrow
    >>> Arrow(start=0, end=1, text="0.5", value=0.5)
    Arrow(start=0, end=1, text='0.5', value=0.5)
    """

    start: int
    end: int
    text: str
    value: float


@dataclass(frozen=True)
class Draft:
    """What is to be in a diagram.

    Attributes
    ----------
    columns
        For each column, from the left, its boxes from the top, each as its lines of text.
    arrows
        For each pair of neighbouring columns, the arrows between them.
    headings : sequence of str
        What stands above each column.
    backward : bool
        Whether arrows point to the left.

    Examples
    --------
    >>> from fuseprop.plots import Arrow, Draft
    >>> draft = Draft([[["x = 1"]], [["y = 0.5"]]], [[Arrow(0, 0, "0.5", 0.5)]], ["input", "output"])
    """

    columns: Sequence[Sequence[Sequence[str]]]
    arrows: Sequence[Sequence[Arrow]]
    headings: Sequence[str]
    backward: bool = False


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
        The number that it stands for over the largest one between the two columns: from -1 to 1, 0 for nan.
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

    Examples
    --------
    >>> from fuseprop.plots import Arrow, Draft, lay_out
    >>> draft = Draft([[["x = 1"]], [["y = 0.5"]]], [[Arrow(0, 0, "0.5", 0.5)]], ["input", "output"])
    >>> (diagram,) = lay_out([draft])
    """

    nodes: Sequence[Node]
    edges: Sequence[Edge]
    headings: Sequence[tuple[float, str]]
    width: float
    height: float


def lay_out(drafts: Sequence[Draft]) -> list[Diagram]:
    """Return the diagrams of drafts with the same numbers of boxes, each box at the same place in all.

    Columns stand as far apart as the texts on the arrows between them need.

    Raises ValueError where arrows are too many for their texts to be told apart.

    Examples
    --------
    >>> from fuseprop.plots import Arrow, Draft, lay_out
    >>> draft = Draft([[["x = 1"]], [["y = 0.5"]]], [[Arrow(0, 0, "0.5", 0.5)]], ["input", "output"])
    >>> (diagram,) = lay_out([draft])
    """
    first = drafts[0].columns
    widths = [max(_width(draft, place) for draft in drafts) for place in range(len(first))]
    tallest = max(len(lines) for draft in drafts for column in draft.columns for lines in column)
    between = tallest * LINE * EM + 5 * PADDING
    height = between * max(map(len, first))
    ys = [height / 2 + between * ((len(column) - 1) / 2 - np.arange(len(column))) for column in first]
    gaps = [_Gap(drafts, place, ys) for place in range(len(first) - 1)]
    lefts = [PADDING]  # the left sides of the columns
    for width, gap in zip(widths, gaps, strict=False):
        lefts.append(lefts[-1] + width + gap.room)
    size = lefts[-1] + widths[-1] + PADDING, height + LINE * EM
    diagrams = []
    for number, draft in enumerate(drafts):
        nodes = [
            Node(left + width / 2, float(y), width, len(lines) * LINE * EM + PADDING, lines)
            for left, width, at, column in zip(lefts, widths, ys, draft.columns, strict=True)
            for y, lines in zip(at, column, strict=True)
        ]
        edges = [
            edge
            for left, width, gap in zip(lefts, widths, gaps, strict=False)
            for edge in gap.edges(number, draft.backward, left + width)
        ]
        middles = [left + width / 2 for left, width in zip(lefts, widths, strict=True)]
        diagrams.append(Diagram(nodes, edges, list(zip(middles, draft.headings, strict=True)), *size))
    return diagrams


class _Gap:
    """The arrows between two columns, in all drafts: how far these are apart, and where the texts are."""

    def __init__(self, drafts: Sequence[Draft], place: int, ys: Sequence[HostArray]) -> None:
        self._arrows = [draft.arrows[place] for draft in drafts]
        self._ends = [
            np.array([[ys[place][arrow.start], ys[place + 1][arrow.end]] for arrow in arrows])
            for arrows in self._arrows
        ]
        widths = [[text_width(arrow.text) for arrow in arrows] for arrows in self._arrows]
        self.room = max(map(max, widths)) + 6 * PADDING
        while self.room <= FARTHEST:
            found = [_fractions(*each, self.room) for each in zip(self._ends, widths, strict=True)]
            self._fractions = [each for each in found if each is not None]
            if len(self._fractions) == len(found):
                return
            self.room += STEP
        raise ValueError(
            f"there are too many arrows for a number on each: {len(self._arrows[0])} between two columns."
        )

    def edges(self, number: int, backward: bool, left: float) -> Iterator[Edge]:
        """Yield the arrows of a draft, the gap beginning at `left`."""
        arrows = self._arrows[number]
        largest = max((abs(arrow.value) for arrow in arrows if isfinite(arrow.value)), default=0.0) or 1.0
        for arrow, (y, to), part in zip(arrows, self._ends[number], self._fractions[number], strict=True):
            ends = (left, float(y)), (left + self.room, float(to))
            begin, end = ends[::-1] if backward else ends
            place = left + part * self.room, float(y + part * (to - y))
            strength = 0.0 if isnan(arrow.value) else min(max(arrow.value / largest, -1.0), 1.0)
            yield Edge(begin, end, arrow.text, place, strength)


def _width(draft: Draft, place: int) -> float:
    """Return how wide the boxes of a column must be for their texts."""
    lines = [text_width(line) for lines in draft.columns[place] for line in lines]
    return max(BOLD * text_width(draft.headings[place]) - OVERHANG, *lines) + 2 * PADDING


def text_width(text: str) -> float:
    """Return a bound on the width of a text in inches."""
    ems = [NARROW if each in THIN else WIDEST_CHARACTER if each in BROAD else WIDE for each in text]
    return sum(ems) * EM


def _fractions(ys: HostArray, widths: Sequence[float], room: float) -> list[float] | None:
    """Return where along each arrow its text is, from 0 to 1, such that no two meet; None if none is found.

    ys (n, 2) are the heights at which the arrows begin and end, in columns `room` apart. Few texts lie on
    another arrow: each takes the best of those places that the ones before it have left.
    """
    found: list[float] = []
    taken = np.empty((0, 3))  # of each text before, its x, its y and its width
    half = LINE * EM / 2
    for number, width in enumerate(widths):
        if not width:  # no text: anywhere
            found.append(0.5)
            continue
        margin = (width / 2 + PADDING) / room
        at = np.linspace(margin, 1 - margin, PLACES)
        x, y = at * room, ys[number, 0] + at * (ys[number, 1] - ys[number, 0])
        near = np.abs(x[:, None] - taken[:, 0]) < (width + taken[:, 2]) / 2 + PADDING
        meets = (near & (np.abs(y[:, None] - taken[:, 1]) < 2 * half + PADDING / 2)).any(axis=1)
        if meets.all():
            return None
        ends = (x[:, None] + [-width / 2, width / 2]) / room
        heights = ys[:, :1, None] + ends * (ys[:, 1:, None] - ys[:, :1, None])  # (n, places, 2)
        under = (heights.min(axis=2) < y + half) & (heights.max(axis=2) > y - half)
        cost = under.sum(axis=0) - under[number] + np.abs(at - 0.5)
        best = int(np.where(meets, np.inf, cost).argmin())
        found.append(float(at[best]))
        taken = np.vstack([taken, (x[best], y[best], width)])
    return found
