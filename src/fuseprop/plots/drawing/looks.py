"""How lines, marks and words look: told apart without colour, and names drawn as they are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import numpy as np

from ...backend import HostArray
from ...checks.quoting import shown

DASHES: tuple[Any, ...] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (9, 3)),
    (0, (5, 2, 1, 2, 1, 2)),
    (0, (1, 4)),
    (0, (3, 3)),
)
LINES = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#777777")
"""The colours of lines: black, grey, and four of Okabe & Ito's colours, which the colour-blind tell apart."""

MARKERS = ("o", "s", "^", "D", "v", "X", "P", "*")
CLASSES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#777777", "#f0e442")
"""The colours of classes, Okabe & Ito's: the first ones differ most in lightness."""

LIGHTNESS = (0.66, 0.88, 0.77, 0.83, 0.71, 0.60, 0.80, 0.94)
"""How light the shade of each class's colour is where it is surest, in grey from 0 to 1: no two alike."""

LONGEST = 80
"""The most characters of a name that are drawn."""

LITERAL = {"parse_math": False}
"""How text is drawn: a name may hold what matplotlib would take for its markup, such as two dollar signs."""


def line_looks() -> Iterator[tuple[Any, str, str]]:
    """Yield the dash, the marker and the colour of one line after another."""
    return zip(cycle(DASHES), cycle(MARKERS), cycle(LINES), strict=False)


def class_looks() -> Iterator[tuple[str, str]]:
    """Yield the marker and the colour of one class after another."""
    return zip(cycle(MARKERS), cycle(CLASSES), strict=False)


def shades() -> Iterator[HostArray]:
    """Yield the surest shade of one class after another, (3,): its colour, as light as `LIGHTNESS` says."""
    for (_, colour), lightness in zip(class_looks(), cycle(LIGHTNESS), strict=False):
        own = rgb(colour)
        yield 1 - (1 - lightness) / (1 - grey(own)) * (1 - own)


def grey(colours: HostArray) -> HostArray:
    """Return how light colours (..., 3) are without their colour (...): ITU-R BT.601's weights."""
    lightness: HostArray = colours @ [0.299, 0.587, 0.114]
    return lightness


def rgb(colour: str) -> HostArray:
    """Return red, green and blue (3,), from 0 to 1, of a colour such as #0072b2."""
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def drawable(text: str) -> str:
    """Return a name as it is drawn: characters that are invisible, or that SVG forbids, by their numbers."""
    return shown(text, LONGEST)
