"""Costs: what an error costs, how hard it pulls, and why a sigmoid learns by cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backend import AnyBackend, HostArray
from ..layers.dense import Dense
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel
from .bias import bias_to_0
from .result import Cell, Result, topic

COSTS = {
    "half squared": "half_squared_error",
    "absolute": "mean_absolute_error",
    "cross-entropy": "sigmoid_cross_entropy",
}
STARTS = (-5.0, -2.0, 0.0, 2.0, 5.0)
RATE, STEPS = 1.0, 200
"""Of z = w x at x = 1, the bias held at 0: a step is z <- z - RATE dL/dz."""

NOTATIONS = """\
over m rows, with outputs y or p, targets t, and dL/dz of one row at a sigmoid, p = sigmoid(z):
half_squared_error     1/(2m) sum (y - t)^2                          (p - t) p (1 - p)
mean_squared_error     MSE = 1/m sum (y - t)^2                       2 (p - t) p (1 - p)
mean_absolute_error    MAE = 1/m sum |y - t|                         sign(p - t) p (1 - p)
sigmoid_cross_entropy  -1/m sum (t log p + (1 - t) log(1 - p))       p - t
softmax_cross_entropy  -1/m sum log p_t, p = softmax(z)              p - 1 of class t, p of each other"""


@topic("Costs: what an error costs, and why a sigmoid learns by cross-entropy.")
def costs(backend: AnyBackend, seed: int) -> Result:
    """Ask one unit for its cost and gradient at many outputs, and train it from right and wrong ones."""
    rows: list[tuple[Cell, ...]] = []
    p_over_steps, cost_over_steps = [], []
    for name, cost in COSTS.items():
        for z in STARTS:
            unit = _unit(cost, "sigmoid", z, backend, seed)
            slope = float(unit.trace([[1.0]], [1.0]).delta[0][0, 0])
            p, losses = _train(unit, to_the_end=z == STARTS[0])
            steps = next(step for step, reached in enumerate(p) if reached > 0.5)
            rows.append((name, z, p[0], losses[0], slope, steps))
            if z == STARTS[0]:
                p_over_steps.append(Curve(name, range(len(p)), p))
                cost_over_steps.append(Curve(name, range(len(p)), losses))
    # Two more entries beside 0, where the slope of the absolute error jumps.
    errors = np.sort([*np.linspace(-2.0, 2.0, 41), -1e-6, 1e-6])
    number = _cost_and_slope([*COSTS][:2], "identity", 1.0 + errors, backend, seed)
    share = _cost_and_slope([*COSTS], "sigmoid", np.linspace(-7.0, 7.0, 57), backend, seed)
    return Result(
        f"one unit, z = w x with x = 1, target 1: cost and slope at z, and steps of z <- z - {RATE:g} dL/dz",
        ("cost", "z", "p = sigmoid(z)", "loss", "dL/dz", "steps until p > 0.5"),
        rows,
        Figure(
            "Costs",
            [
                Panel("cost of an output y = z", "error y - t", "cost of the row", number[0]),
                Panel("cost of p = sigmoid(z), t = 1", "error p - t", "cost of the row", share[0]),
                Panel(f"training from z = {STARTS[0]:g}: sure and wrong", "step", "output p", p_over_steps),
                Panel("slope at an output y = z", "error y - t", "dL/dz", number[1]),
                Panel("slope at p = sigmoid(z), t = 1", "error p - t", "dL/dz", share[1]),
                Panel("cost in that training", "step", "cost of the row", cost_over_steps, log_y=True),
            ],
        ),
        "Where a sigmoid is sure and wrong, its own slope p (1 - p) is almost 0, and with it the gradient of "
        "the squared and of the absolute error, so that the unit hardly learns from its worst mistakes. The "
        "cross-entropy rises so steeply there that dL/dz = p - t is left: the larger the error, the larger "
        "the step.",
        text=NOTATIONS,
    )


def _unit(cost: str, output: str, z: float, backend: AnyBackend, seed: int) -> Network:
    """Return a unit whose weighted sum of the input 1 is z; a cross-entropy brings the sigmoid itself."""
    activation = "identity" if cost.endswith("cross_entropy") else output
    return Network([Dense(1, 1, activation, weights=[[z]])], cost, seed=seed, backend=backend)


def _train(unit: Network, *, to_the_end: bool) -> tuple[list[float], list[float]]:
    """Return the outputs and the costs before the first step and after each, perhaps until p > 0.5 alone."""
    optimizer = MomentumSGD(RATE, momentum=0.0)
    outputs, losses = [], []
    for _ in range(STEPS + 1):
        outputs.append(float(unit.predict([[1.0]])[0, 0]))
        losses.append(unit.train_step([[1.0]], [1.0], optimizer))
        bias_to_0(unit)  # else z would go twice as far: once by the weight, once by the bias
        if outputs[-1] > 0.5 and not to_the_end:
            break
    return outputs, losses


def _cost_and_slope(
    names: Sequence[str], output: str, sums: HostArray, backend: AnyBackend, seed: int
) -> tuple[list[Curve], list[Curve]]:
    """Return curves of the cost and of dL/dz over the error of the target 1, for each of the costs."""
    values, slopes = [], []
    for name in names:
        errors, losses, deltas = [], [], []
        unit = _unit(COSTS[name], output, 1.0, backend, seed)
        for z in sums:
            trace = unit.trace([[z]], [1.0])
            errors.append(float(unit.predict([[z]])[0, 0]) - 1.0)
            losses.append(trace.loss)
            deltas.append(float(trace.delta[0][0, 0]))
        values.append(Curve(name, errors, losses))
        slopes.append(Curve(name, errors, deltas))
    return values, slopes
