"""Scores: numbers by name, with the intervals in which they lie and a confusion matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from ...backend import HostArray

ANY = (-inf, inf)
_SHARE, _POSITIVE, _AT_MOST_1 = (0.0, 1.0), (0.0, inf), (-inf, 1.0)

RANGES = {
    **dict.fromkeys(("accuracy", "baseline", "balanced_accuracy", "f1", "roc_auc"), _SHARE),
    **dict.fromkeys(("log_loss", "rmse", "mae", "rmse_of_mean"), _POSITIVE),
    **dict.fromkeys(("r2", "d2"), _AT_MOST_1),
}
"""The least and the largest value of each score by name, but for "loss", which may be any formula."""

NOT_FINITE = "it is nan or inf: it, or a number on the way to it, is too large for its dtype"


@dataclass(frozen=True, eq=False)
class Confusion:
    """How many rows of each class were taken for which.

    Attributes
    ----------
    classes : tuple
        The k classes, in the order of the rows and columns of `counts`.
    counts : (k, k) int64
        Rows are the true classes, columns the predicted ones.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.metrics import Confusion
    >>> confusion = Confusion(("no", "yes"), np.array([[8, 1], [2, 9]]))
    >>> int(confusion.counts[1, 0])  # so many rows are "yes" and were taken for "no"
    2
    """

    classes: tuple[Any, ...]
    counts: HostArray


class Scores(dict[str, float]):
    """The scores of a model on some rows by name: a dict, equal to any with the same numbers.

    Parameters
    ----------
    values : mapping or pairs
        Numbers by name, "loss" and the task's metric first. What is nan or inf goes to `undefined`.

    Attributes
    ----------
    intervals : dict of (float, float)
        By name, the ends of the interval in which the score over all rows of this kind lies with 95%
        confidence. Empty for rows that were learned from, whose scores say nothing of others.
    confusion : Confusion, or None
        For one target with classes.
    undefined : dict of str
        By name, why a score that goes with the task is not among them, such as an AUC of a single class.

    Examples
    --------
    >>> from fuseprop.metrics import Scores
    >>> scores = Scores({"loss": 0.25, "r2": 0.75}, intervals={"r2": (0.6, 0.8)})
    >>> scores["r2"], scores.intervals["r2"]
    (0.75, (0.6, 0.8))
    """

    def __init__(
        self,
        values: Mapping[str, float] | Iterable[tuple[str, float]] = (),
        /,
        *,
        intervals: Mapping[str, tuple[float, float]] | None = None,
        confusion: Confusion | None = None,
        undefined: Mapping[str, str] | None = None,
    ) -> None:
        given = dict(values)
        super().__init__((name, value) for name, value in given.items() if isfinite(value))
        self.intervals = dict(intervals or {})
        self.confusion = confusion
        self.undefined = {name: NOT_FINITE for name in given if name not in self} | dict(undefined or {})

    def joined(self, more: Scores) -> Scores:
        """Return these scores and then `more`, which hold where both say something of a score."""
        values = {**self, **more}
        return Scores(
            {name: value for name, value in values.items() if name not in more.undefined},
            intervals=self.intervals | more.intervals,
            confusion=more.confusion,
            undefined={name: why for name, why in self.undefined.items() if name not in more}
            | more.undefined,
        )
