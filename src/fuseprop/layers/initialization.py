"""Starting weights of a layer, drawn on the host in float64 from an explicit generator.

All backends start from the same bits because none of them draws anything itself.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Initializer: TypeAlias = "Callable[[np.random.Generator, int, int], NDArray[np.float64]]"
"""(generator, inputs d, outputs m) -> weights (d, m). A text: to name `numpy.random` imports it."""


def glorot(rng: np.random.Generator, inputs: int, outputs: int) -> NDArray[np.float64]:
    """Uniform in +-sqrt(6 / (d + m)): keeps variances of sigmoid and tanh layers (Glorot & Bengio 2010)."""
    limit = sqrt(6.0 / (inputs + outputs))
    return rng.uniform(-limit, limit, (inputs, outputs))


def he(rng: np.random.Generator, inputs: int, outputs: int) -> NDArray[np.float64]:
    """Normal with standard deviation sqrt(2 / d): keeps the variance of ReLU layers (He et al. 2015)."""
    return rng.normal(0.0, sqrt(2.0 / inputs), (inputs, outputs))


def uniform(rng: np.random.Generator, inputs: int, outputs: int) -> NDArray[np.float64]:
    """Uniform in +-1 / sqrt(d): weighted sums stay of order one (LeCun et al. 1998, "Efficient BackProp")."""
    limit = 1.0 / sqrt(inputs)
    return rng.uniform(-limit, limit, (inputs, outputs))


def zeros(rng: np.random.Generator, inputs: int, outputs: int) -> NDArray[np.float64]:  # noqa: ARG001
    """All zero: right for a single layer; hidden units that start equal stay equal."""
    return np.zeros((inputs, outputs))


INITIALIZERS: dict[str, Initializer] = {"glorot": glorot, "he": he, "uniform": uniform, "zeros": zeros}
