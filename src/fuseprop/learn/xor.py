"""Xor needs a hidden layer."""

from __future__ import annotations

from itertools import compress

import numpy as np

from ..backend import AnyBackend
from ..layers.dense import Dense, mlp
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel, Regions
from .data import CORNERS, XOR
from .result import Cell, Result, topic

EPOCHS = 400
HIDDEN = (0, 2, 4, 8)
NEAR = 0.2
"""Corners that are no farther apart share the place of their names."""

NAMES = [f"({x1:g}, {x2:g})" for x1, x2 in CORNERS]


@topic("Xor needs a hidden layer.")
def xor(backend: AnyBackend, seed: int) -> Result:
    """Train networks with more and more hidden units on the four corners."""
    rows: list[tuple[Cell, ...]] = []
    curves, networks = [], {}
    for hidden in HIDDEN:
        sizes = [2, hidden, 1] if hidden else [2, 1]
        network = Network(mlp(sizes, "tanh"), "sigmoid_cross_entropy", seed=seed, backend=backend)
        history = network.fit(CORNERS, XOR, MomentumSGD(0.3, 0.6), epochs=EPOCHS, batch_size=4)
        learned = next((i for i, share in enumerate(history.train_metric, 1) if share == 1), None)
        p = network.predict(CORNERS)[:, 0]
        final = network.evaluate(CORNERS, XOR)["loss"]
        rows.append((hidden, final, learned or "never", *p.tolist()))
        curves.append(Curve(f"{hidden} hidden units", range(1, EPOCHS + 1), history.train_loss))
        networks[hidden] = network
    two, eight = networks[2], networks[8]
    points = {f"t = {answer}": CORNERS[answer == XOR] for answer in (0, 1)}
    planes = [
        Panel(title, "x1", "x2", ground=Regions.of_probabilities(network.predict, points))
        for title, network in (("2 hidden units", two), ("8 hidden units", eight))
    ]
    loss = Panel("loss", "epoch", "cross-entropy (nats a row)", curves, log_y=True)
    return Result(
        f"xor with 0 to 8 hidden tanh units, learning rate 0.3, momentum 0.6, {EPOCHS} epochs",
        ("hidden", "loss", "all right from epoch", "p(0, 0)", "p(0, 1)", "p(1, 0)", "p(1, 1)"),
        rows,
        Figure("Xor", [loss, planes[1], planes[0], _hidden_plane(two)]),
        "Without a hidden layer the best answer to xor is 0.5 everywhere, a loss of log 2 = 0.693, because "
        "no line has both ones on the same side. Two hidden units can fold the plane, so that in their "
        "outputs a1 and a2 one line does, which unfolded is the boundary around both ones, and four or "
        "eight find a way sooner than two.",
    )


def _hidden_plane(network: Network) -> Panel:
    """Return what the output unit of a network with two hidden units says of their outputs."""
    a = network.trace(CORNERS, XOR).a[0]
    [_, (weights, bias)] = network.weights()
    output = Network(
        [Dense(2, 1, "identity", weights=weights, bias=bias)], network.loss, backend=network.backend
    )
    regions = Regions.of_probabilities(output.predict, {f"t = {t}": a[t == XOR] for t in (0, 1)})
    near = np.abs(a[:, None] - a).max(axis=-1) < NEAR
    texts = [" ".join(compress(NAMES, group)) if group.argmax() == i else "" for i, group in enumerate(near)]
    corners = Curve("corners", a[:, 0], a[:, 1], texts=texts)
    return Panel("the corners as the 2 hidden units see them", "a1", "a2", [corners], ground=regions)
