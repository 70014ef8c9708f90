"""Scores of numbers in their own units: RMSE, MAE and R^2."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..explained import explained
from .given import values
from .resampling import Floats, Groups

FAR = 900
"""The largest number is brought between 2^-FAR and 2^FAR: float64 ends at 2^-1074 and 2^1024."""


class Errors(NamedTuple):
    """Sums over rows of errors and of deviations from the mean, of each of several sets of rows.

    Errors and deviations of each target are divided by powers of 2, which `Residuals` knows.

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

    def variation(self) -> Floats:
        """Return the sums of squared deviations from the mean of these rows, (..., t)."""
        variation = self.squared_deviations - self.deviations**2 / self.rows
        is_rounding = variation <= 4 * np.finfo(np.float64).eps * self.squared_deviations
        return np.where(is_rounding, 0.0, variation)


class Residuals:
    """Errors of rows, and deviations from the mean: the scores of numbers are functions of their sums.

    Those of each target are divided by the power of 2 that makes the largest one 0.5 to 1: no square
    overflows, one that underflows is too small to count, and a product with a power of 2 is exact. A score
    that float64 cannot hold itself is inf or -inf.

    Parameters
    ----------
    target, predicted : (n, t) float64
        Finite.
    """

    def __init__(self, target: Floats, predicted: Floats) -> None:
        # Far from the ends of float64, sums and differences neither overflow nor lose digits.
        power = _power_of_largest(target, predicted)
        beyond = power - np.clip(power, -FAR, FAR)
        target, predicted = np.ldexp(target, -beyond), np.ldexp(predicted, -beyond)
        # The mean of equal numbers may differ from them in the last digit, and so would vary.
        constant = (target == target[0]).all(axis=0)
        deviations = target - np.where(constant, target[0], target.mean(axis=0))
        errors = target - predicted
        of_errors, of_deviations = _power_of_largest(errors), _power_of_largest(deviations)
        self._errors, self._deviations = np.ldexp(errors, -of_errors), np.ldexp(deviations, -of_deviations)
        self._of_errors, self._of_deviations = of_errors + beyond, of_deviations + beyond

    def sums(self, groups: Groups) -> Errors:
        """Sum over each group of rows."""
        return Errors(
            groups.sum(np.ones((len(self._errors), 1))),
            groups.sum(self._errors**2),
            groups.sum(np.abs(self._errors)),
            groups.sum(self._deviations),
            groups.sum(self._deviations**2),
        )

    def rmse(self, sums: Errors) -> Floats:
        """Return the root of the mean squared error, the mean over targets, (...)."""
        return _mean(np.sqrt(sums.squared / sums.rows), self._of_errors)

    def mae(self, sums: Errors) -> Floats:
        """Return the mean absolute error, the mean over targets, (...)."""
        return _mean(sums.absolute / sums.rows, self._of_errors)

    def r2(self, sums: Errors) -> Floats:
        """Return 1 - squared errors / squared deviations from the mean, the mean over targets, (...)."""
        power = 2 * (self._of_errors - self._of_deviations)
        return explained(sums.squared, sums.variation(), power).mean(axis=-1)  # type: ignore[no-any-return]

    def rmse_of_mean(self, sums: Errors) -> Floats:
        """Return the RMSE of predicting the mean of these rows, the mean over targets, (...)."""
        return _mean(np.sqrt(sums.variation() / sums.rows), self._of_deviations)


def _power_of_largest(*arrays: Floats) -> NDArray[np.intc]:
    """Return p (t,) by which the largest |value| of each column is 2^p times a number from 0.5 to 1."""
    power: NDArray[np.intc] = np.frexp(np.max([np.abs(each).max(axis=0) for each in arrays], axis=0))[1]
    return power


def _mean(of_targets: Floats, power: NDArray[np.intc]) -> Floats:
    """Return the mean over targets of 2^power times (..., t), as scikit-learn's "uniform_average"."""
    largest = power.max()
    mean: Floats = np.ldexp(np.ldexp(of_targets, power - largest).mean(axis=-1), largest)
    return mean


def rmse(target: object, predicted: object) -> float:
    """Return the root of the mean squared error; both (n,) or (n, t), of several targets the mean.

    Raises ValueError for shapes that differ, no rows, nan and inf, and where float64 cannot hold the result.

    Examples
    --------
    >>> from fuseprop.metrics import rmse
    >>> round(rmse([3.0, 5.0], [0.0, 9.0]), 4)
    3.5355
    """
    return _score("RMSE", Residuals.rmse, *values(target, predicted))


def mae(target: object, predicted: object) -> float:
    """Return the mean absolute error; both (n,) or (n, t), of several targets the mean.

    Raises ValueError as `rmse`.

    Examples
    --------
    >>> from fuseprop.metrics import mae
    >>> mae([3.0, 5.0], [0.0, 9.0])
    3.5
    """
    return _score("MAE", Residuals.mae, *values(target, predicted))


def r2(target: object, predicted: object) -> float:
    """Return R^2, 1 - squared errors / squared deviations from the mean; (n,) or (n, t), of several the mean.

    Of a target that is the same in all rows it is 1 without errors, and 0 with any. Raises ValueError as
    `rmse`, and for one row.

    Examples
    --------
    >>> from fuseprop.metrics import r2
    >>> r2([1.0, 2.0, 3.0], [1.0, 2.5, 3.0])
    0.875
    """
    true, other = values(target, predicted)
    if len(true) < 2:
        raise ValueError("there is no R^2 of one row, which deviates from no mean. Give two rows or more.")
    return _score("R^2", Residuals.r2, true, other)


def _score(
    name: str, formula: Callable[[Residuals, Errors], Floats], target: Floats, predicted: Floats
) -> float:
    residuals = Residuals(target, predicted)
    with np.errstate(over="ignore"):
        score = float(formula(residuals, residuals.sums(Groups(len(target))))[0])
    if not isfinite(score):
        raise ValueError(
            f"the {name} is larger than any float64, which ends at 1.8e308: the predictions are too far from "
            f"the targets. Divide both by one number, or predict something closer."
        )
    return score
