"""Joining: several trained networks as one, whose output is the mean of theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backend import HostArray

Weights = Sequence[tuple[HostArray, HostArray]]
"""Weights (d, m) and bias (m,) of each layer, first one first."""


def joined(members: Sequence[Weights]) -> list[tuple[HostArray, HostArray]]:
    """Return the weights of one network that computes the mean of k networks of equal shape.

    The mean is that of the last layer's weighted sums, z = (z_1 + ... + z_k) / k, before its activation and
    the loss's link: of the logits of classes, of the values of a regression. It errs less than its members do
    on average, the more they differ (L. K. Hansen and P. Salamon, IEEE Trans. Pattern Anal. Mach. Intell. 12,
    1990; A. Krogh and J. Vedelsby, NIPS 7, 1995). Hidden layers stand beside each other: the first one's
    weights are [W_1 ... W_k], those behind it are block-diagonal, the last one's are stacked, each W_i / k.

    Parameters
    ----------
    members : sequence of k
        What `Network.weights` returns of each.
    """
    if len(members) == 1:
        return list(members[0])
    layers = []
    last = len(members[0]) - 1
    for i, parts in enumerate(zip(*members, strict=True)):
        weights, biases = zip(*parts, strict=True)
        if i == last:
            bias = np.mean(biases, axis=0, dtype=np.float64).astype(biases[0].dtype)
            combine = np.concatenate if last else _total
            layers.append(((combine(weights) / len(members)).astype(weights[0].dtype), bias))
        else:
            beside = np.concatenate(weights, axis=1) if i == 0 else _diagonal(weights)
            layers.append((beside, np.concatenate(biases)))
    return layers


def _total(arrays: Sequence[HostArray]) -> HostArray:
    return np.asarray(np.sum(arrays, axis=0, dtype=np.float64))


def _diagonal(blocks: Sequence[HostArray]) -> HostArray:
    """Return a matrix with these blocks along its diagonal, and 0 elsewhere."""
    rows, columns = blocks[0].shape
    matrix = np.zeros((rows * len(blocks), columns * len(blocks)), blocks[0].dtype)
    for i, block in enumerate(blocks):
        matrix[i * rows : (i + 1) * rows, i * columns : (i + 1) * columns] = block
    return matrix
