"""Scores of two learners on the same folds: their mean difference, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from .record import Row

ByFold = dict[tuple[int, int], Row]
"""The rows of one learner on one table, by repeat and fold."""


@dataclass(frozen=True)
class Difference:
    """A mean difference of scores over folds, with two standard errors.

    `plain` takes the folds for independent: the deviation of their differences by the root of their number.
    They share rows to learn from, so that it is too small. `corrected` is that of Nadeau and Bengio (2003,
    Inference for the generalization error): the variance times 1/n + test rows / training rows.
    """

    mean: float
    plain: float
    corrected: float

    @property
    def verdict(self) -> str:
        """Return "win", "tie" or "loss": by more than one plain standard error, or not."""
        if abs(self.mean) <= self.plain:
            return "tie"
        return "win" if self.mean > 0 else "loss"


def by_fold(rows: list[Row]) -> dict[str, dict[str, ByFold]]:
    """Return the rows of each table and learner by repeat and fold."""
    found: dict[str, dict[str, ByFold]] = {}
    for row in rows:
        found.setdefault(row["table"], {}).setdefault(row["learner"], {})[row["repeat"], row["fold"]] = row
    return found


def difference(ours: ByFold, theirs: ByFold, splits: int) -> Difference | None:
    """Return ours - theirs over the folds that both have a score for; None for fewer than two."""
    shared = [fold for fold in ours if "score" in ours[fold] and "score" in theirs.get(fold, ())]
    if len(shared) < 2:
        return None
    each = [ours[fold]["score"] - theirs[fold]["score"] for fold in shared]
    deviation, n = stdev(each), len(each)
    return Difference(fmean(each), deviation / sqrt(n), deviation * sqrt(1 / n + 1 / (splits - 1)))


def seconds(row: Row) -> float:
    """Return the time of a fit and its prediction."""
    return float(row["fit"] + row["predict"])
