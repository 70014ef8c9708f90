"""The learning rate: too low, right, too high, exploding."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend
from ..layers.dense import mlp
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel
from ..training.divergence import DivergenceError
from .result import Cell, Result, topic

RATES = {"too low": 0.01, "right": 0.5, "too high": 1.9, "exploding": 60.0}
EPOCHS = 120

LOSS = "loss 1/(2n) sum (t - y)\u00b2"

HIGH = 1e20
"""The picture shows losses below this; the table shows all."""


@topic("The learning rate: too low, right, too high, exploding.")
def rates(backend: AnyBackend, seed: int) -> Result:
    """Fit a plane by gradient descent from one start with four learning rates."""
    X = np.random.default_rng(seed).normal(size=(50, 3))
    # Uncorrelated features of deviation 1: the cost is curved by 1 in every direction.
    X = np.linalg.qr(X - X.mean(axis=0))[0] * np.sqrt(len(X))
    target = X @ np.array([[1.0], [-2.0], [0.5]])
    rows: list[tuple[Cell, ...]] = []
    curves = []
    for name, rate in RATES.items():
        network = Network(mlp([3, 1]), "half_squared_error", seed=seed, backend=backend)
        outcome = f"{EPOCHS} epochs"
        try:
            history = network.fit(
                X, target, MomentumSGD(rate, momentum=0.0), epochs=EPOCHS, batch_size=len(X)
            )
        except DivergenceError as error:
            history = error.history
            outcome = f"diverged in epoch {error.epoch}: {str(error).partition(' in epoch')[0]}"
        losses = history.train_loss
        rows.append((name, rate, losses[0], losses[4], losses[-1], outcome))
        drawn = [loss for loss in losses if loss < HIGH]
        curves.append(Curve(f"{name} ({rate:g})", range(1, len(drawn) + 1), drawn))
    return Result(
        f"a plane fitted to 50 points with four learning rates, all rows at once, {EPOCHS} epochs",
        ("learning rate", "a", "loss, epoch 1", "epoch 5", "last epoch", "outcome"),
        rows,
        Figure(
            "Learning rates",
            [
                Panel("three that stay finite", "epoch", LOSS, curves[:-1], log_y=True),
                Panel(f"all four, up to {HIGH:g}", "epoch", LOSS, curves, log_y=True),
            ],
        ),
        "Too low a rate is still on its way when the right one has arrived, and one that is too high jumps "
        "over the minimum. Above 2 divided by the largest curvature every step ends further away than it "
        "began, until the loss overflows: training then ends with the epoch's name, and the last good "
        "weights are kept.",
    )
