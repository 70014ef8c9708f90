"""Scores of predictions on host arrays, in the target's own units, each with an interval.

`scores` holds them by name: what `Model.evaluate` returns.
"""

from .scores import Confusion, Scores

__all__ = ["Confusion", "Scores"]
