"""What is learned from, and what is held out: checked, encoded, on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from ..backend import HostArray
from ..layers.targets import Targets


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows and what the network should say to them.

    Attributes
    ----------
    X : (N, d)
        A host array, a sparse matrix, or an array on the device.
    targets : Targets
        Of all N rows.
    weights : (N,), or None
        Sample weights, class weights included.
    rows : (n,)
        Which of the rows are meant, in their order.
    """

    X: Any
    targets: Targets
    weights: HostArray | None
    rows: HostArray

    @classmethod
    def whole(cls, X: Any, targets: Targets, weights: HostArray | None = None) -> Sample:
        """Return all rows."""
        return cls(X, targets, weights, np.arange(len(targets.values)))

    def split(
        self, fraction: float, random_state: np.random.RandomState, *, stratify: bool
    ) -> tuple[Sample, Sample]:
        """Return what to learn from and what to hold out, drawn as scikit-learn draws it; no row is copied.

        Raises ValueError, in scikit-learn's words, where either part would be too small; and where all its
        weights are 0.
        """
        classes = self.targets.values[:, 0] if stratify else None
        if classes is not None and np.bincount(classes, minlength=2).min() < 2:
            classes = classes.astype(str)  # as which the message that now comes names them
        kept, held_out = train_test_split(
            self.rows, random_state=random_state, test_size=fraction, stratify=classes
        )
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        for part, rows in (("learning", kept), ("validation", held_out)):
            if self.weights is not None and not self.weights[rows].any():
                raise ValueError(
                    f"all rows that were drawn for {part} have the weight 0. Give more rows a weight, "
                    f"another random_state, or X_val and y_val instead of early_stopping's own draw."
                )
        return (
            Sample(self.X, self.targets, self.weights, kept),
            Sample(self.X, self.targets, self.weights, held_out),
        )

    @property
    def own_targets(self) -> Targets:
        """The targets of `rows` alone."""
        return self.targets.take(self.rows)

    @property
    def own_weights(self) -> HostArray | None:
        """The weights of `rows` alone."""
        return None if self.weights is None else self.weights[self.rows]
