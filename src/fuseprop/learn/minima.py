"""Many random starts, not all of which end in the same minimum."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend
from ..layers.dense import mlp
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel
from .data import CORNERS, XOR
from .result import Cell, Result, topic

STARTS, EPOCHS = 30, 500


@topic("Many random starts, not all of which end in the same minimum.")
def minima(backend: AnyBackend, seed: int) -> Result:
    """Train the smallest network that can learn xor from many random starts."""
    ends, curves = [], []
    for start in range(STARTS):
        network = Network(
            mlp([2, 2, 1], "tanh", initializer="he"),
            "sigmoid_cross_entropy",
            seed=np.random.default_rng([seed, start]),
            backend=backend,
        )
        history = network.fit(CORNERS, XOR, MomentumSGD(0.5, 0.9), epochs=EPOCHS, batch_size=4)
        ends.append(network.evaluate(CORNERS, XOR)["loss"])
        curves.append(Curve(f"start {start + 1}", range(1, EPOCHS + 1), history.train_loss))
    rows: list[tuple[Cell, ...]] = []
    for valley in sorted({round(loss, 1) for loss in ends}):
        losses = [loss for loss in ends if round(loss, 1) == valley]
        rows.append((valley, len(losses), min(losses), max(losses)))
    ranks = Curve("one start each", range(1, STARTS + 1), sorted(ends), points=True)
    order = np.argsort(ends, kind="stable")
    shown = [curves[i] for i in order[:: max(1, STARTS // 5)]]
    return Result(
        f"xor with 2 hidden tanh units from {STARTS} random starts, {EPOCHS} epochs each",
        ("loss, about", "starts", "lowest loss", "highest loss"),
        rows,
        Figure(
            "Minima",
            [
                Panel("five of the starts", "epoch", "cross-entropy (nats a row)", shown, log_y=True),
                Panel(
                    "where all ended",
                    "start, best first",
                    "loss at the end (nats a row)",
                    [ranks],
                    log_y=True,
                ),
            ],
        ),
        "The same network on the same data ends at different losses: gradient descent goes downhill from "
        "where it starts, and some valleys do not lead to the lowest one. Another start is a remedy, and "
        "so are more hidden units, with which nearly every start finds a way down.",
    )
