"""One weight: the cost over it is a parabola, and gradient descent walks down."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend
from ..layers.dense import Dense
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Film, Panel
from .over_weights import loss_over_weights
from .result import Cell, Result, topic

SLOPE, START, RATE, STEPS = 2.0, -1.0, 0.6, 12

COST = "cost 1/(2m) sum (t - w x)\u00b2"

TOUCHED, REACH = 2, 1.3
"""The step whose tangent the picture has, and how far to each side of it a tangent is drawn, in w."""


@topic("One weight: the cost over it is a parabola, and gradient descent walks down.", moves=True)
def line(backend: AnyBackend, seed: int) -> Result:
    """Descend along the cost of y = w x; the inputs balance around 0, so that the bias stays 0."""
    x = np.linspace(-1.0, 1.0, 21).reshape(-1, 1)
    target = SLOPE * x

    def network() -> Network:
        layer = Dense(1, 1, "identity", weights=[[START]])
        return Network([layer], "half_squared_error", seed=seed, backend=backend)

    learner, optimizer = network(), MomentumSGD(RATE, momentum=0.0)
    rows: list[tuple[Cell, ...]] = []
    weights, costs, slopes = [], [], []
    for step in range(STEPS + 1):
        weights.append(float(learner.weights()[0][0][0, 0]))
        costs.append(learner.train_step(x, target, optimizer))
        slopes.append(float(learner.gradients()[0][0][0, 0]))
        rows.append((step, weights[-1], costs[-1], slopes[-1], -RATE * slopes[-1]))

    cost = loss_over_weights(network(), x, target, lambda w, b: [([[w]], [b])])
    grid = np.linspace(START - 0.5, 2 * SLOPE - START + 0.5, 61)
    parabola = Curve("cost", grid.tolist(), [cost(w, 0.0) for w in grid])

    def over_weight(steps: int, at: int, name: str) -> Panel:
        ends = np.linspace(weights[at] - REACH, weights[at] + REACH, 61)
        tangent = Curve(name, ends.tolist(), (costs[at] + slopes[at] * (ends - weights[at])).tolist())
        descent = Curve("descent", weights[: steps + 1], costs[: steps + 1])
        return Panel(
            *("cost over the weight", "weight w", COST),
            [parabola, descent, tangent],
            x_limits=(grid[0], grid[-1]),
            y_limits=(-0.15 * parabola.y[0], 1.2 * parabola.y[0]),
        )

    over_steps = [Curve("descent", range(STEPS + 1), costs)]
    return Result(
        f"gradient descent along one weight, from {START:g} towards {SLOPE:g}, learning rate {RATE:g}",
        ("step", "w", "cost", "dE/dw", "change of w"),
        rows,
        Figure(
            "One weight",
            [
                over_weight(STEPS, TOUCHED, f"slope at step {TOUCHED}"),
                Panel("cost over the steps", "step", COST, over_steps, log_y=True),
            ],
        ),
        "The cost over the weight is a parabola, and each step goes against its slope, so that steps "
        "shrink as the slope does. Every step takes the same share of the way that is left, which is why "
        "the cost falls by the same factor each time.",
        film=Film(lambda i: Figure("One weight", [over_weight(i, i, "slope")]), STEPS + 1, 0.5),
    )
