"""Gradient descent by all rows at once, by a few, and by one row after another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..backend import AnyBackend
from ..layers.dense import Dense
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Film, Landscape, Panel
from .over_weights import loss_over_weights
from .result import Cell, Result, topic

SLOPE, BIAS, NOISE, SPREAD = 1.5, 0.5, 0.4, 0.6
START = (-1.5, -1.5)
ROWS, RATE, EPOCHS = 20, 0.3, 20
BATCHES = {"all rows": ROWS, "5 rows": 5, "one row": 1}

LOSS = "loss 1/(2m) sum (t - y)\u00b2"

ENDS = (-2.0, 3.5), (-2.0, 2.2)
"""Of the picture's axes: w and b."""

SLOW, QUICK = 2, 2 * ROWS
"""Row visits from frame to frame: in the first epoch, where the ways part, and later."""


@topic("Stochastic descent: all rows at once, a few, or one row after another.", moves=True)
def descent(backend: AnyBackend, seed: int) -> Result:
    """Fit a line from one start with three sizes of batches, which visit as many rows as each other."""
    rng = np.random.default_rng(seed)
    # Deviations that are uncorrelated with x and balance around 0: the minimum is at (SLOPE, BIAS).
    x, noise = np.linalg.qr(np.column_stack([np.ones(ROWS), rng.normal(size=(ROWS, 2))]))[0].T[1:]
    X = SPREAD * np.sqrt(ROWS) * x.reshape(-1, 1)
    target = SLOPE * X + BIAS + NOISE * np.sqrt(ROWS) * noise.reshape(-1, 1)

    def network() -> Network:
        layer = Dense(1, 1, "identity", weights=[[START[0]]], bias=[START[1]])
        return Network([layer], "half_squared_error", seed=seed, backend=backend)

    loss = loss_over_weights(network(), X, target, lambda w, b: [([[w]], [b])])
    rows: list[tuple[Cell, ...]] = []
    walks = []
    for name, size in BATCHES.items():
        learner, optimizer = network(), MomentumSGD(RATE, momentum=0.0)
        walk = _Walk(name, size)
        walk.note(*START, loss(*START))
        for _ in range(EPOCHS):
            order = rng.permutation(ROWS)
            for batch in np.split(order, ROWS // size):
                learner.train_step(X[batch], target[batch], optimizer)
                weight, bias = learner.weights()[0]
                w, b = float(weight[0, 0]), float(bias[0])
                walk.note(w, b, loss(w, b))
        walks.append(walk)
        updates = len(walk.w) - 1
        rows.append(
            (
                *(name, updates, EPOCHS, walk.loss[ROWS // size], walk.loss[-1]),
                float(np.hypot(walk.w[-1] - SLOPE, walk.b[-1] - BIAS)),
                float(np.mean(np.diff(walk.loss) > 0)),
                float(np.hypot(np.diff(walk.w), np.diff(walk.b)).sum()),
            )
        )
    contours = Landscape.of(loss, *ENDS, LOSS)
    above = _Panels(walks, contours)
    in_space = Panel(
        "the first two on the surface",
        "weight w",
        "bias b",
        [walk.way(len(walk.w), in_space=True) for walk in walks[:2]],
        ground=replace(contours, surface=True),
    )
    frames = [*range(0, ROWS, SLOW), *range(ROWS, ROWS * EPOCHS, QUICK), ROWS * EPOCHS]
    return Result(
        f"a line through {ROWS} points by batches of three sizes from one start: learning rate {RATE:g}, no "
        f"momentum, {EPOCHS} epochs, which are {EPOCHS * ROWS} visits of rows for each",
        (
            *("rows a step", "updates", "epochs", "loss after one epoch", "at the end"),
            *("from the minimum", "uphill", "length of the way"),
        ),
        rows,
        Figure("Descent", [*above.at(ROWS * EPOCHS), in_space]),
        "All rows together know the gradient: every step goes downhill, straight across the contours, but "
        "there is one an epoch. One row knows its own error alone: such steps wander, and near the minimum "
        "about half of them go uphill, but they learn after every row and are there before all rows together "
        "have made two steps, while a few rows a step have something of both.",
        film=Film(lambda i: Figure("Descent", above.at(frames[i])), len(frames), 0.3),
    )


@dataclass(frozen=True)
class _Walk:
    """The weights after each step, and the loss of all rows there."""

    name: str
    size: int
    w: list[float] = field(default_factory=list)
    b: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)

    def note(self, w: float, b: float, loss: float) -> None:
        self.w.append(w)
        self.b.append(b)
        self.loss.append(loss)

    def way(self, count: int, *, in_space: bool = False) -> Curve:
        """Return the way over the first entries."""
        heights = self.loss[:count] if in_space else ()
        return Curve(self.name, self.w[:count], self.b[:count], way=True, z=heights)


@dataclass(frozen=True)
class _Panels:
    """The ways on the contours, and the losses beside them, after any number of row visits."""

    walks: list[_Walk]
    contours: Landscape

    def at(self, visits: int) -> list[Panel]:
        counts = [visits // walk.size + 1 for walk in self.walks]
        pairs = list(zip(self.walks, counts, strict=True))
        ways = [walk.way(count) for walk, count in pairs]
        losses = [
            Curve(walk.name, [walk.size * step for step in range(count)], walk.loss[:count], way=True)
            for walk, count in pairs
        ]
        heights = [loss for walk in self.walks for loss in walk.loss]
        return [
            Panel("the ways over the contours of the loss", "weight w", "bias b", ways, ground=self.contours),
            Panel(
                "the loss of all rows",
                "rows visited",
                LOSS,
                losses,
                log_y=True,
                x_limits=(-0.02 * ROWS * EPOCHS, 1.02 * ROWS * EPOCHS),
                y_limits=(0.8 * min(heights), 1.2 * max(heights)),
            ),
        ]
