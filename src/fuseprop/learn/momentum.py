"""Momentum carries gradient descent along a ravine."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend
from ..callbacks import OnEpochEnd
from ..callbacks.history import History
from ..layers.dense import Dense
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel
from .result import Cell, Result, topic

MOMENTA = (0.0, 0.3, 0.6, 0.9)
STEEPNESS = 0.05
EPOCHS = 3000
ENOUGH = 1e-4


@topic("Momentum carries gradient descent along a ravine.")
def momentum(backend: AnyBackend, seed: int) -> Result:
    """Fit a plane whose cost is a ravine, steep along one weight and flat along the other."""
    X = np.random.default_rng(seed).normal(size=(60, 2))
    # Uncorrelated features of deviation 1 and STEEPNESS: the cost's curvatures are their squares.
    X = np.linalg.qr(X - X.mean(axis=0))[0] * np.sqrt(len(X)) * [1.0, STEEPNESS]
    target = X @ np.array([[1.0], [10.0]])
    rows: list[tuple[Cell, ...]] = []
    curves, walks = [], []
    for mu in MOMENTA:
        network = Network(
            [Dense(2, 1, "identity", initializer="zeros")], "half_squared_error", seed=seed, backend=backend
        )
        walk = _Walk(network)
        history = network.fit(
            X,
            target,
            MomentumSGD(1.5, mu),
            epochs=EPOCHS,
            batch_size=len(X),
            callbacks=[OnEpochEnd(walk.note)],
        )
        rows.append((mu, history.epochs, history.train_loss[-1], walk.w1[-1], walk.w2[-1]))
        curves.append(Curve(f"momentum {mu:g}", range(1, history.epochs + 1), history.train_loss))
        walks.append(Curve(f"momentum {mu:g}", walk.w1, walk.w2))
    return Result(
        f"a ravine {STEEPNESS**-2:.0f} times steeper across than along, learning rate 1.5, until the loss is "
        f"{ENOUGH:g} of the first",
        ("momentum", "epochs", "loss", "w1 (across)", "w2 (along)"),
        rows,
        Figure(
            "Momentum on a ravine",
            [
                Panel("loss", "epoch", "loss 1/(2n) sum (t - y)\u00b2", curves, log_x=True, log_y=True),
                Panel("the way to (1, 10)", "w1 (across the ravine)", "w2 (along it)", [walks[0], walks[-1]]),
            ],
        ),
        "The steep direction limits the learning rate, and with steps that small the flat one takes a "
        "thousand epochs. Velocity adds up what all steps have in common, which is the way along the ravine, "
        "so that more momentum needs fewer epochs, though it swings from side to side for longer.",
    )


class _Walk:
    """The weights after each epoch, until the loss is low enough."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.w1, self.w2 = [0.0], [0.0]

    def note(self, history: History) -> None:
        w1, w2 = self._network.weights()[0][0][:, 0].tolist()
        self.w1.append(w1)
        self.w2.append(w2)
        if history.train_loss[-1] < ENOUGH * history.train_loss[0]:
            history.stop("low enough")
