"""Features that are copies of the target, as far as one column alone shows it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from .datasets import Data

SAME_ORDER = 0.999
"""What correlation of the ranks, in absolute value, makes a feature a copy of a number."""

REPEATED = 5
"""How often a value of a feature is there at least on average, where its classes are looked at."""


def copies(data: Data, frame: pd.DataFrame) -> Iterator[str]:
    """Yield the features of a loaded table that are copies of its target.

    Those are features in the order of the numbers to be predicted or in the reverse one, such as logarithms
    and other units, and features whose value says the class of every row. Missing cells count as a value.
    """
    target = frame[data.target]
    for name in frame.columns.drop(data.target):
        feature = frame[name]
        if data.of_classes:
            classes = target.groupby(feature, dropna=False).nunique()
            if len(frame) >= REPEATED * len(classes) and (classes == 1).all():
                yield str(name)
        elif pd.api.types.is_numeric_dtype(feature) and feature.nunique() > 1:
            known = feature.notna()
            ranks = np.corrcoef(feature[known].rank(), target[known].rank())[0, 1]
            if abs(ranks) > SAME_ORDER:
                yield str(name)
