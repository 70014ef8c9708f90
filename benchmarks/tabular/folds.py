"""Repeated cross-validation: which rows each model is fitted on and tested on, the same for all."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .datasets import Data


@dataclass(frozen=True)
class Fold:
    """Row numbers to fit on, `train`, and to test on, `test`, of fold `number` in repeat `repeat`."""

    repeat: int
    number: int
    train: NDArray[np.int64]
    test: NDArray[np.int64]


def folds(data: Data, frame: pd.DataFrame, splits: int, repeats: int, seed: int = 0) -> Iterator[Fold]:
    """Yield repeats times splits folds of a loaded table, stratified by class; a seed gives the same ones.

    Fold k of repeat r depends neither on `repeats` nor on the models, so that more repeats can be added.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if data.of_classes else KFold
    for repeat in range(repeats):
        divided = kind(splits, shuffle=True, random_state=seed + repeat)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class")  # crime1's have one row
            for number, (train, test) in enumerate(divided.split(frame, frame[data.target])):
                yield Fold(repeat, number, train, test)
