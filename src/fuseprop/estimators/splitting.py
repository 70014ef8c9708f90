"""The rows that early stopping holds out, drawn as scikit-learn draws them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.model_selection import train_test_split

from ..training.rows import Rows


def hold_out(
    rows: Rows, fraction: float, random_state: np.random.RandomState, *, stratify: bool
) -> tuple[Rows, Rows]:
    """Return the rows to learn from and those to hold out; no row is copied.

    Raises ValueError, in scikit-learn's words, where either part would be too small; and where all weights of
    one part are 0.
    """
    classes = rows.targets.values[:, 0] if stratify else None
    if classes is not None and np.bincount(classes, minlength=2).min() < 2:
        classes = classes.astype(str)  # for the message that `train_test_split` raises now
    kept, held_out = train_test_split(
        rows.order, random_state=random_state, test_size=fraction, stratify=classes
    )
    if len(held_out) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
        )
    for part, numbers in (("learning", kept), ("validation", held_out)):
        if rows.weights is not None and not rows.weights[numbers].any():
            raise ValueError(
                f"all rows that were drawn for {part} have the weight 0. Give more rows a weight, "
                f"another random_state, or X_val and y_val instead of early_stopping's own draw."
            )
    return replace(rows, numbers=kept), replace(rows, numbers=held_out)
