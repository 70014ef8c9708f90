"""Means and quantiles over rows, each counted with its weight.

Where several processes have rows of their own, all call these together, and get what belongs to all rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..world import ALONE, Processes
from ..world.quantiles import median, quantile_by_weight, quantiles


def weighted_mean(values: HostArray, weights: HostArray | None, world: Processes = ALONE) -> float:
    """Return sum(w v) / sum(w) in float64, or the plain mean; values and weights (N,).

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.metrics import weighted_mean
    >>> weighted_mean(np.array([1.0, 4.0]), np.array([2.0, 1.0]))
    2.0
    """
    return float(weighted_means(values, weights, world))


def weighted_means(
    values: HostArray, weights: HostArray | None, world: Processes = ALONE
) -> NDArray[np.float64]:
    """Return the same for each column of values (N, k), as (k,)."""
    if weights is None:  # half the time of values.mean()
        weight, total = float(len(values)), np.add.reduce(values, axis=0, dtype=np.float64)
    else:
        weights = weights.astype(np.float64, copy=False)
        of_cells = weights if values.ndim == 1 else weights[:, None]
        weight, total = weights.sum(), np.add.reduce(values * of_cells, axis=0)
    means: NDArray[np.float64] = world.total(total) / world.total(weight)
    return means


def weighted_quantile(
    values: NDArray[np.float64], q: float, weights: HostArray | None, world: Processes = ALONE
) -> NDArray[np.float64]:
    """Return the q-quantile over rows, each counted with its weight; values (N, k), result (k,).

    Without weights it is NumPy's, linear between two values; with weights it is a value that is there: the
    least one up to which rows weigh q of all.
    """
    if weights is not None:
        return np.array([quantile_by_weight(world, column, weights, q) for column in values.T])
    if q == 0.5:
        return np.array([median(world, column) for column in values.T])
    return np.array([quantiles(world, column, [q])[0] for column in values.T])
