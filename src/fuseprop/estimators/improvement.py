"""When an epoch is an improvement, by scikit-learn's rule, and how many may pass without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from ..callbacks.patience import Patience
from ..checks.states import COUNT, NUMBER, check_state


@dataclass
class Improvement:
    """scikit-learn's rule of when an epoch is an improvement; lower values are better.

    Attributes
    ----------
    tol : float
        An epoch with a value above ``best - tol`` is no improvement; nan counts as one, as in scikit-learn.
    best : float
        The lowest value so far, by however little.
    patience : Patience
    of_scores : bool
        Whether the values are validation scores, negated.
    """

    tol: float
    best: float
    patience: Patience
    of_scores: bool

    @classmethod
    def of(cls, estimator: Any) -> Improvement:
        """Return the rule for an estimator, going on from its best value and count of an earlier call."""
        by_score = bool(estimator.early_stopping)
        best = estimator.best_validation_score_ if by_score else estimator.best_loss_
        lowest = inf if best is None else -best if by_score else best
        # scikit-learn ends after more than `n_iter_no_change` epochs, not after as many.
        patience = Patience(estimator.n_iter_no_change + 1, estimator._no_improvement_count)
        return cls(estimator.tol, lowest, patience, by_score)

    def look_at(self, value: float) -> bool:
        """Count an epoch; return whether it is the best so far, by however little."""
        self.patience.epoch_ended(improved=not value > self.best - self.tol)
        better = value < self.best
        if better:
            self.best = value
        return better

    def describe(self) -> str:
        """Return in words what has happened when patience is over."""
        what = "Validation score" if self.of_scores else "Training loss"
        return (
            f"{what} did not improve more than tol={self.tol:f} for {self.patience.limit - 1} consecutive "
            f"epochs."
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and the count."""
        return {"best": self.best, **self.patience.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        check_state("Improvement", state, best=NUMBER, count=COUNT)
        self.best = state["best"]
        self.patience.load_state_dict(state)
