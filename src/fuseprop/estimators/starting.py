"""Starting weights, drawn as scikit-learn draws them: the same numbers in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np

from ..backend import HostArray


def starting_weights(
    random_state: np.random.RandomState, sizes: Sequence[int], activations: Sequence[str], dtype: Any
) -> tuple[list[HostArray], list[HostArray]]:
    """Return weights (d, m) and biases (m,) of layers between units of the given sizes.

    Both uniform in +-sqrt(6 / (d + m)), or +-sqrt(2 / (d + m)) around sigmoids (Glorot & Bengio 2010); layer
    by layer, weights first. The output layer has no name in `activations`, and takes the last hidden one's.
    """
    coefs, intercepts = [], []
    names = [*activations, activations[-1]][: len(sizes) - 1]
    for (d, m), name in zip(pairwise(sizes), names, strict=True):
        limit = sqrt((2.0 if name == "sigmoid" else 6.0) / (d + m))
        coefs.append(random_state.uniform(-limit, limit, (d, m)).astype(dtype, copy=False))
        intercepts.append(random_state.uniform(-limit, limit, m).astype(dtype, copy=False))
    return coefs, intercepts
