"""Where float64 training arrives with formulas that the textbook lacks: layer by layer, by calls of NumPy.

The tests compare each formula on this backend with float64 arithmetic of their own.
"""

from __future__ import annotations

from typing import Any

from fuseprop.backend.registry import load_backend

from .problem import Problem
from .stepper import Stepper


class Reference:
    """A network in training: what the gate asks of `Textbook`, for a problem with a design."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._stepper = Stepper(problem, load_backend("numpy", "float64"), eager=True)

    @property
    def weights(self) -> list[tuple[Any, Any]]:
        """Weights (d, m) and biases (m,) of each layer."""
        return self._stepper.network.weights()

    def train(self, steps: int) -> None:
        """Take the first steps of the problem's order."""
        self._stepper.run(steps)

    def loss_with(self, weights: list[tuple[Any, Any]], rows: slice) -> float:
        """Return the mean loss of rows with these weights; nan where weights are not finite."""
        try:
            self._stepper.network.set_weights(weights)
        except ValueError:  # nan or inf: whoever has such weights has not arrived anywhere
            return float("nan")
        return self._stepper.network.evaluate(self._problem.X[rows], self._problem.targets[rows])["loss"]
