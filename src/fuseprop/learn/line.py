"""One weight: the cost over it is a parabola, and gradient descent walks down."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend
from ..layers.dense import Dense
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel
from .result import Cell, Result, topic

SLOPE, START, RATE, STEPS = 2.0, -1.0, 0.6, 12

COST = "cost 1/(2n) sum (t - w x)\u00b2"


@topic("One weight: the cost over it is a parabola, and gradient descent walks down.")
def line(backend: AnyBackend, seed: int) -> Result:
    """Descend along the cost of y = w x; the inputs balance around 0, so that the bias stays 0."""
    x = np.linspace(-1.0, 1.0, 21).reshape(-1, 1)
    target = SLOPE * x
    network = Network(
        [Dense(1, 1, "identity", weights=[[START]])], "half_squared_error", seed=seed, backend=backend
    )
    optimizer = MomentumSGD(RATE, momentum=0.0)
    rows: list[tuple[Cell, ...]] = []
    weights, costs = [], []
    for step in range(STEPS + 1):
        weights.append(float(network.weights()[0][0][0, 0]))
        costs.append(network.train_step(x, target, optimizer))
        slope = float(network.gradients()[0][0][0, 0])
        rows.append((step, weights[-1], costs[-1], slope, -RATE * slope))

    grid = np.linspace(START - 0.5, 2 * SLOPE - START + 0.5, 61)
    parabola = []
    for w in grid:
        network.set_weights([([[w]], [0.0])])
        parabola.append(network.evaluate(x, target)["loss"])
    over_weight = [Curve("cost", grid.tolist(), parabola), Curve("descent", weights, costs)]
    over_steps = [Curve("descent", range(STEPS + 1), costs)]
    return Result(
        f"gradient descent along one weight, from {START:g} towards {SLOPE:g}, learning rate {RATE:g}",
        ("step", "w", "cost", "dE/dw", "change of w"),
        rows,
        Figure(
            "One weight",
            [
                Panel("cost over the weight", "weight w", COST, over_weight),
                Panel("cost over the steps", "step", COST, over_steps, log_y=True),
            ],
        ),
        "The cost over the weight is a parabola, and each step goes against its slope, so that steps "
        "shrink as the slope does. Every step takes the same share of the way that is left, which is why "
        "the cost falls by the same factor each time.",
    )
