"""Scores of numbers in their own units: RMSE, MAE and R^2."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..explained import explained
from .given import values
from .resampling import Floats, Groups


class Errors(NamedTuple):
    """Sums over rows of errors and of deviations from the mean, of each of several sets of rows.

    Attributes
    ----------
    rows : (..., 1)
    squared, absolute : (..., t)
        Of the errors of each target.
    deviations, squared_deviations : (..., t)
        From a constant close to the mean of all rows.
    """

    rows: Floats
    squared: Floats
    absolute: Floats
    deviations: Floats
    squared_deviations: Floats

    @classmethod
    def of(cls, target: NDArray[np.float64], predicted: NDArray[np.float64], groups: Groups) -> Errors:
        """Sum over each group of rows; both (n, t)."""
        errors = target - predicted
        # The mean of equal numbers may differ from them in the last digit, and so would vary.
        constant = (target == target[0]).all(axis=0)
        deviations = target - np.where(constant, target[0], target.mean(axis=0))
        return cls(
            groups.sum(np.ones((len(target), 1))),
            groups.sum(errors**2),
            groups.sum(np.abs(errors)),
            groups.sum(deviations),
            groups.sum(deviations**2),
        )

    def rmse(self) -> Floats:
        """Return the root of the mean squared error, the mean over targets, (...)."""
        return _mean(np.sqrt(self.squared / self.rows))

    def mae(self) -> Floats:
        """Return the mean absolute error, the mean over targets, (...)."""
        return _mean(self.absolute / self.rows)

    def r2(self) -> Floats:
        """Return 1 - squared errors / squared deviations from the mean, the mean over targets, (...)."""
        return _mean(explained(self.squared, self._variation()))

    def rmse_of_mean(self) -> Floats:
        """Return the RMSE of predicting the mean of these rows, the mean over targets, (...)."""
        return _mean(np.sqrt(self._variation() / self.rows))

    def _variation(self) -> Floats:
        """Return the sums of squared deviations from the mean of these rows, (..., t)."""
        variation = self.squared_deviations - self.deviations**2 / self.rows
        is_rounding = variation <= 4 * np.finfo(np.float64).eps * self.squared_deviations
        return np.where(is_rounding, 0.0, variation)


def _mean(of_targets: Floats) -> Floats:
    """Return the mean over targets, (...), as scikit-learn's "uniform_average"."""
    mean: Floats = of_targets.mean(axis=-1)
    return mean


def rmse(target: object, predicted: object) -> float:
    """Return the root of the mean squared error; both (n,) or (n, t), of several targets the mean.

    Raises ValueError for shapes that differ, no rows, nan and inf.
    """
    return float(_errors(target, predicted).rmse()[0])


def mae(target: object, predicted: object) -> float:
    """Return the mean absolute error; both (n,) or (n, t), of several targets the mean.

    Raises ValueError as `rmse`.
    """
    return float(_errors(target, predicted).mae()[0])


def r2(target: object, predicted: object) -> float:
    """Return R^2, 1 - squared errors / squared deviations from the mean; (n,) or (n, t), of several the mean.

    Of a target that is the same in all rows it is 1 without errors, and 0 with any. Raises ValueError as
    `rmse`, and for one row.
    """
    errors = _errors(target, predicted)
    if errors.rows[0, 0] < 2:
        raise ValueError("there is no R^2 of one row, which deviates from no mean. Give two rows or more.")
    return float(errors.r2()[0])


def _errors(target: object, predicted: object) -> Errors:
    true, other = values(target, predicted)
    return Errors.of(true, other, Groups(len(true)))
