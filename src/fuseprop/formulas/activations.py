"""The activations: a unit's output as a function of its weighted sum, and the slope of that function.

Backends compute these in their own way, fused with the bias and with the chain rule. The formulas here, in
float64 on NumPy, are the ones to read, and the ones that backends are compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks.choices import choose

Float = NDArray[np.float64]


@dataclass(frozen=True)
class ActivationFormula:
    """y = f(z), elementwise.

    Attributes
    ----------
    formula : str
        f as a person would write it.
    function : callable
        y from z.
    slope : callable
        dy/dz from the *output* y: nothing but y needs to be kept for the backward pass.
    low, high : float
        The values that code "no" and "yes" for a unit with this activation: 0 and 1, but -1 and 1 for tanh.
        A unit says "yes" above the middle, `threshold`: 0.5 for sigmoid, 0 for tanh.
    """

    formula: str
    function: Callable[[Float], Float]
    slope: Callable[[Float], Float]
    low: float = 0.0
    high: float = 1.0

    @property
    def threshold(self) -> float:
        """The output above which a unit says "yes"."""
        return (self.low + self.high) / 2


def _sigmoid(z: Float) -> Float:
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


ACTIVATIONS: dict[str, ActivationFormula] = {
    "identity": ActivationFormula("z", lambda z: z, lambda y: np.ones_like(y)),
    "sigmoid": ActivationFormula("1 / (1 + exp(-z))", _sigmoid, lambda y: y * (1.0 - y)),
    "tanh": ActivationFormula("tanh(z)", lambda z: np.tanh(z), lambda y: 1.0 - y * y, low=-1.0),
    "relu": ActivationFormula(
        "max(z, 0)", lambda z: np.maximum(z, 0.0), lambda y: (y > 0).astype(np.float64)
    ),
}


def check_activation(name: object) -> None:
    """Raise ValueError unless `name` is an activation that gradient descent can train."""
    if isinstance(name, str) and name == "step":
        raise ValueError(
            'activation "step" cannot be trained by gradient descent: its slope is 0 everywhere, so that no '
            "weight in front of it has a gradient. Use fuseprop.Perceptron, which learns by the perceptron "
            'rule, or "sigmoid".'
        )
    choose("activation", name, ACTIVATIONS)


def activate(activation: str, z: ArrayLike) -> Float:
    """Return f(z) in float64, any shape."""
    return ACTIVATIONS[activation].function(np.asarray(z, np.float64))


def slope(activation: str, y: ArrayLike) -> Float:
    """Return f' in float64 from the output y = f(z), any shape."""
    return ACTIVATIONS[activation].slope(np.asarray(y, np.float64))
