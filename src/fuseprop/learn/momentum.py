"""Momentum carries gradient descent along a ravine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backend import AnyBackend
from ..callbacks import OnEpochEnd
from ..callbacks.history import History
from ..layers.dense import Dense
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Film, Landscape, Panel
from .over_weights import loss_over_weights
from .result import Cell, Result, topic

MOMENTA = (0.0, 0.3, 0.6, 0.9)
RATE = 0.3
STEEP, FLAT = 5.0, 0.0125
"""The curvatures of the loss across the ravine and along it. Rates of 2 / STEEP and more climb its walls."""

MINIMUM = 1.0, 10.0
"""Across the ravine and along it."""

EPOCHS = 3000
ENOUGH = 1e-4

LOSS = "loss 1/(2m) sum (t - y)\u00b2"

ACROSS, ALONG = (-0.6, 2.6), (-1.0, 13.0)
"""The ends of the picture's axes."""

GRID = 45
"""Points of the contours along each axis: more than a landscape has by default, for a ravine is narrow."""

SINGLE, APART = 12, 4
"""So many epochs have a frame each, and later every so many have one."""


@topic("Momentum carries gradient descent along a ravine.", moves=True)
def momentum(backend: AnyBackend, seed: int) -> Result:
    """Fit a plane whose cost is a ravine, steep along one weight and flat along the other."""
    X = np.random.default_rng(seed).normal(size=(60, 2))
    # Of uncorrelated features around 0 the loss is curved by their mean squares, along a weight each.
    X = np.linalg.qr(X - X.mean(axis=0))[0] * np.sqrt(len(X)) * np.sqrt([STEEP, FLAT])
    target = X @ np.reshape(MINIMUM, (2, 1))

    def network() -> Network:
        layer = Dense(2, 1, "identity", initializer="zeros")
        return Network([layer], "half_squared_error", seed=seed, backend=backend)

    rows: list[tuple[Cell, ...]] = []
    walks = []
    for mu in MOMENTA:
        learner = network()
        walk = _Walk(f"momentum {mu:g}", learner)
        history = learner.fit(
            X,
            target,
            MomentumSGD(RATE, mu),
            epochs=EPOCHS,
            batch_size=len(X),
            callbacks=[OnEpochEnd(walk.note)],
        )
        walk.losses = history.train_loss
        rows.append((mu, history.epochs, history.train_loss[-1], walk.w1[-1], walk.w2[-1]))
        walks.append(walk)
    loss = loss_over_weights(network(), X, target, lambda w2, w1: [([[w1], [w2]], [0.0])])
    ravine = _Ravine(walks, Landscape.of(loss, ALONG, ACROSS, LOSS, points=GRID))
    lengths = [len(walk.losses) for walk in walks]
    first, last = min(lengths), max(lengths)
    epochs = [*range(SINGLE), *range(SINGLE, first, APART), first]
    losses = [Curve(walk.name, range(1, len(walk.losses) + 1), walk.losses) for walk in walks]
    return Result(
        f"a ravine {STEEP / FLAT:.0f} times steeper across than along, learning rate {RATE:g}, until the "
        f"loss is {ENOUGH:g} of the first",
        ("momentum", "epochs", "loss", "w1 (across)", "w2 (along)"),
        rows,
        Figure(
            "Momentum on a ravine",
            [
                ravine.after(first),
                ravine.after(last),
                Panel("loss", "epoch", LOSS, losses, log_x=True, log_y=True),
            ],
        ),
        "The steep direction limits the learning rate, and with steps that small the flat one takes a "
        "thousand epochs. Velocity adds up what all steps have in common, which is the way along the ravine, "
        "so that more momentum needs fewer epochs, though it swings from side to side for longer.",
        film=Film(lambda i: Figure("Momentum on a ravine", [ravine.after(epochs[i])]), len(epochs), 0.2),
    )


class _Walk:
    """The weights after each epoch, until the loss is low enough."""

    def __init__(self, name: str, network: Network) -> None:
        self.name, self._network = name, network
        self.w1, self.w2 = [0.0], [0.0]
        self.losses: list[float] = []

    def note(self, history: History) -> None:
        w1, w2 = self._network.weights()[0][0][:, 0].tolist()
        self.w1.append(w1)
        self.w2.append(w2)
        if history.train_loss[-1] < ENOUGH * history.train_loss[0]:
            history.stop("low enough")


@dataclass(frozen=True)
class _Ravine:
    """The contours with the ways on them, the ravine from left to right."""

    walks: list[_Walk]
    contours: Landscape

    def after(self, epochs: int) -> Panel:
        ways = [
            Curve(walk.name, walk.w2[: epochs + 1], walk.w1[: epochs + 1], way=True) for walk in self.walks
        ]
        title = f"the ways after {epochs} epochs"
        return Panel(title, "w2 (along the ravine)", "w1 (across it)", ways, ground=self.contours)
