"""How many steps a training takes until the host looks up: often, and without losing time by it."""

from __future__ import annotations

LOOK = 0.05
"""Seconds between two looks, about; a step that takes longer is ended before the look."""

GROWTH = 1000
"""A piece has at most so many times as many steps as the one before."""


class Pieces:
    """The length of the next piece of an epoch, by how long the pieces before took.

    The first two have one step each: the first step of all loads what later ones find loaded.

    Attributes
    ----------
    steps : int
        How many steps the next piece has.
    """

    def __init__(self) -> None:
        self.steps = 1
        self._timed = False

    def took(self, steps: int, seconds: float) -> None:
        """Learn that so many steps took so many seconds."""
        if self._timed:
            fitting = steps * LOOK / seconds if seconds > 0 else float("inf")
            self.steps = int(min(max(fitting, 1), GROWTH * self.steps))
        self._timed = True
