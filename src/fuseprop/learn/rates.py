"""The learning rate: too low, right, too high, exploding."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend
from ..callbacks import OnEpochEnd
from ..callbacks.history import History
from ..layers.dense import Dense
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Film, Panel
from ..training.divergence import DivergenceError
from .over_weights import loss_over_weights
from .result import Cell, Result, topic

SLOPE, START = 2.0, -1.0
CURVATURE = 1.0
"""Of the loss: rates of 2 / CURVATURE and more lead away from its minimum."""

RATES = {"too low": 0.05, "right": 0.5, "too high": 1.9, "exploding": 60.0}
EPOCHS = 120

SHOWN = 12
"""Steps that the picture shows over the weight."""

LOSS = "loss 1/(2m) sum (t - y)\u00b2"

LOW, HIGH = 1e-15, 1e20
"""The picture shows losses between these; the table shows all."""


@topic("The learning rate: too low, right, too high, exploding.", moves=True)
def rates(backend: AnyBackend, seed: int) -> Result:
    """Fit the slope of a line by gradient descent from one start with four learning rates."""
    x = np.random.default_rng(seed).normal(size=(50, 1))
    # The loss is curved by the mean square; around 0, so that the bias stays 0.
    x = (x - x.mean()) / x.std() * np.sqrt(CURVATURE)
    target = SLOPE * x

    def network() -> Network:
        layer = Dense(1, 1, "identity", weights=[[START]])
        return Network([layer], "half_squared_error", seed=seed, backend=backend)

    loss = loss_over_weights(network(), x, target, lambda w, b: [([[w]], [b])])
    grid = np.linspace(START - 0.3, 2 * SLOPE - START + 0.3, 61)
    parabola = Curve("loss", grid.tolist(), [loss(w, 0.0) for w in grid])
    rows: list[tuple[Cell, ...]] = []
    curves, walks = [], []
    for name, rate in RATES.items():
        learner, weights = network(), [START]
        outcome = f"{EPOCHS} epochs"

        def note(_: History, learner: Network = learner, weights: list[float] = weights) -> None:
            weights.append(float(learner.weights()[0][0][0, 0]))

        try:
            history = learner.fit(
                *(x, target, MomentumSGD(rate, momentum=0.0)),
                epochs=EPOCHS,
                batch_size=len(x),
                callbacks=[OnEpochEnd(note)],
            )
        except DivergenceError as error:
            history = error.history
            outcome = f"diverged in epoch {error.epoch}: {str(error).partition(' in epoch')[0]}"
        losses = history.train_loss
        rows.append((name, rate, losses[0], losses[4], losses[-1], outcome))
        drawn = [value for value in losses if value < HIGH]
        curves.append(Curve(f"{name} ({rate:g})", range(1, len(drawn) + 1), drawn))
        if rate * CURVATURE < 2:
            walks.append((f"{name}: {rate:g}", weights, losses))

    def steps(count: int) -> list[Panel]:
        return [
            Panel(
                *(title, "weight w", LOSS),
                [parabola, Curve("steps", weights[: count + 1], losses[: count + 1])],
            )
            for title, weights, losses in walks
        ]

    over_epochs = Panel("all four", "epoch", LOSS, curves, log_x=True, log_y=True, y_limits=(LOW, HIGH))
    return Result(
        f"the slope of a line through 50 points with four learning rates, all rows at once, {EPOCHS} epochs",
        ("called", "learning rate", "loss, epoch 1", "epoch 5", "last epoch", "outcome"),
        rows,
        Figure("Learning rates", [*steps(SHOWN), over_epochs]),
        "Too low a rate is still on its way when the right one has arrived, and one that is too high jumps "
        f"over the minimum with every step. Above 2 divided by the curvature of the loss, which is "
        f"{CURVATURE:g} here, every jump ends further away than it began, until the loss overflows: training "
        "then ends with an error that names the epoch, and the last good weights are kept.",
        film=Film(lambda i: Figure("Learning rates", steps(i)), SHOWN + 1, 0.5),
    )
