"""The correctness gate: a row counts only if its training arrives where float64 arithmetic does.

Every implementation takes the same number of steps from the same weights over the same batches. Its weights
are then evaluated here, in float64 and with one formula, so that no implementation reports on itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from .problem import SCAN, Problem, batches_of, scans
from .textbook import Textbook

if TYPE_CHECKING:
    from .reference import Reference

BOUND = 1e-5
"""Allowed distance from the reference's loss, as a share of how far training moved the loss.

Thirty times what float32 rounding does (3e-7 at most, over all networks and both activations), and a third of
what a learning rate that is 1% off does where that shows least (3e-5, at 2-8-1 with sigmoid; 2e-4 to 6e-3
elsewhere; all measured). Nesterov's form, another reduction and a batch left out lie above it. Products in
TF32, another class of precision, do so on wide networks and with ReLU (1e-5 to 6e-4), but not always on
narrow ones with sigmoid (1e-6 to 4e-6): that nobody uses them is for each peer's own settings to see to.
"""

EVALUATED_ROWS = 1024

ONE_CORE_FLOPS = 5e10
"""In float64 two seconds of one core. Where other work runs, more threads mostly wait for each other: 0.43 s
with one and 3.90 with two for 3.4e9, on two cores with a load of 4."""


class Gate:
    """What a correct implementation arrives at; to be asked with weights (d, m), (m,) of each layer.

    `reference` is the loss that float64 arrives at, where another process has trained there already.
    """

    def __init__(self, problem: Problem, reference: float | None = None) -> None:
        self.steps = gate_steps(problem)
        self._trained = _reference(problem)
        start = self.loss(self._trained.weights)
        if reference is None:
            threads = 1 if self.steps * problem.case.step_flops <= ONE_CORE_FLOPS else None
            with threadpool_limits(threads, "blas"):
                self._trained.train(self.steps)
            reference = self.loss(self._trained.weights)
        self.reference = reference
        self.bound = BOUND * abs(self.reference - start)

    def loss(self, weights: list[tuple[Any, Any]]) -> float:
        """Return the mean loss of the first rows with these weights."""
        return self._trained.loss_with(weights, slice(0, EVALUATED_ROWS))

    def verdict(self, weights: list[tuple[Any, Any]]) -> dict[str, Any]:
        """Return whether these weights pass, and the numbers behind that."""
        loss = self.loss(weights)
        error = abs(loss - self.reference)
        return {
            "passed": bool(error <= self.bound),
            "loss": loss,
            "reference": self.reference,
            "error": error,
            "bound": self.bound,
            "steps": self.steps,
        }


def _reference(problem: Problem) -> Textbook | Reference:
    """Return what trains in float64: the textbook, or for a design our own layers."""
    if problem.design is None:
        return Textbook(problem, "float64")
    from .reference import Reference  # only here: where an older fuseprop is measured, its rooms are others

    return Reference(problem)


def gate_steps(problem: Problem) -> int:
    """Return SCAN steps, or 8 where those would take long, or 2: fewer roundings add up there too.

    Whole epochs at least, for who takes no less.

    At 4096x4 two steps of float32 stay 370 times (sigmoid) and 5 times (ReLU) below the bound, and learning
    moves the loss by 1% and 11% (measured with 256 rows a batch on a CPU).
    """
    if scans(problem):
        return SCAN
    least = 8 if 8 * problem.case.step_flops <= problem.scale.gate_flops else 2
    return max(least, batches_of(problem.case, problem.scale))
