"""Many random starts, not all of which end in the same minimum."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend
from ..layers.dense import mlp
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel, Regions
from .data import CORNERS, XOR
from .result import Cell, Result, topic

STARTS, EPOCHS = 30, 500


@topic("Many random starts, not all of which end in the same minimum.")
def minima(backend: AnyBackend, seed: int) -> Result:
    """Train the smallest network that can learn xor from many random starts."""
    ends, histories, networks = [], [], []
    for start in range(STARTS):
        network = Network(
            mlp([2, 2, 1], "tanh", initializer="he"),
            "sigmoid_cross_entropy",
            seed=np.random.default_rng([seed, start]),
            backend=backend,
        )
        history = network.fit(CORNERS, XOR, MomentumSGD(0.5, 0.9), epochs=EPOCHS, batch_size=4)
        ends.append(network.evaluate(CORNERS, XOR)["loss"])
        histories.append(history.train_loss)
        networks.append(network)
    rows: list[tuple[Cell, ...]] = []
    valleys: dict[float, list[int]] = {}  # the starts that end in each, best first
    for start in np.argsort(ends, kind="stable").tolist():
        valleys.setdefault(round(ends[start], 1), []).append(start)
    for starts in valleys.values():
        rows.append((float(f"{ends[starts[0]]:.2g}"), len(starts), ends[starts[0]], ends[starts[-1]]))
    ranks = Curve("one start each", range(1, STARTS + 1), sorted(ends), points=True)
    shown = [
        Curve(f"start {start + 1}: ends at {ends[start]:.2g}", range(1, EPOCHS + 1), histories[start])
        for start, *_ in valleys.values()
    ]
    points = {f"t = {answer}": CORNERS[answer == XOR] for answer in (0, 1)}
    good, *others = valleys
    drawn = [good, *sorted(others, key=lambda valley: -len(valleys[valley]))[:1]]
    planes = [
        Panel(
            f"start {start + 1}: loss {ends[start]:.2g}",
            "x1",
            "x2",
            [_corners(networks[start])],
            ground=Regions.of_probabilities(networks[start].predict, points),
        )
        for start in (valleys[valley][0] for valley in drawn)
    ]
    return Result(
        f"xor with 2 hidden tanh units from {STARTS} random starts, {EPOCHS} epochs each",
        ("loss, about", "starts", "lowest loss", "highest loss"),
        rows,
        Figure(
            "Minima",
            [
                Panel("a start for each valley", "epoch", "cross-entropy (nats a row)", shown, log_y=True),
                Panel(
                    "where all ended",
                    "start, best first",
                    "loss at the end (nats a row)",
                    [ranks],
                ),
                *planes,
            ],
        ),
        "The same network on the same data ends on one of few steps: where descent goes downhill into a "
        "valley that does not lead to the lowest one, it stays there, with a boundary that leaves some "
        "corners undecided or wrong. Another start is a remedy, and so are more hidden units, with which "
        "nearly every start finds a way down.",
    )


def _corners(network: Network) -> Curve:
    """Return what a network says of each corner, to be written beside it."""
    p = network.predict(CORNERS)[:, 0]
    return Curve("p", CORNERS[:, 0], CORNERS[:, 1], texts=[f"p = {share:.2f}" for share in p])
