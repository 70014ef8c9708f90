"""When training has got as good as it will get: scikit-learn's rule, counted in epochs."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass
class Patience:
    """Counts epochs that were not better than the best by `tol`.

    Attributes
    ----------
    tol, epochs : float
        Training shall end after more than `epochs` epochs in a row without an improvement by `tol`.
    best : float
        The best loss, or the best score, so far.
    higher_is_better : bool
        Whether epochs are judged by a score rather than by a loss.
    count : int
        How many epochs in a row have not improved.
    """

    tol: float
    epochs: float
    best: float
    higher_is_better: bool
    count: int = 0

    def look_at(self, value: float) -> bool:
        """Count an epoch; return whether it is the best so far. nan is never better, and never counted."""
        if self.higher_is_better:
            worse, better = value < self.best + self.tol, value > self.best
        else:
            worse, better = value > self.best - self.tol, value < self.best
        self.count = self.count + 1 if worse else 0
        if better:
            self.best = value
        return better

    @property
    def is_over(self) -> bool:
        """Whether there have been too many epochs without an improvement."""
        return self.count > self.epochs

    def describe(self) -> str:
        """Return what has happened when it is over."""
        what = "Validation score" if self.higher_is_better else "Training loss"
        return f"{what} did not improve more than tol={self.tol:f} for {self.epochs} consecutive epochs."


def worst(higher_is_better: bool) -> float:
    """Return what every epoch is better than."""
    return -inf if higher_is_better else inf
