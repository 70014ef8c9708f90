"""Xor needs a hidden layer."""

from __future__ import annotations

from ..backend import AnyBackend
from ..layers.dense import mlp
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel, Regions
from .data import CORNERS, XOR
from .result import Cell, Result, topic

EPOCHS = 400
HIDDEN = (0, 2, 4, 8)


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
    points = {str(answer): CORNERS[answer == XOR] for answer in (0, 1)}
    panels = [
        Panel(
            f"{hidden} hidden units",
            "a",
            "b",
            ground=Regions.of_probabilities(networks[hidden].predict, points),
        )
        for hidden in (HIDDEN[1], HIDDEN[-1])
    ]
    loss = Panel("loss", "epoch", "cross-entropy (nats a row)", curves, log_y=True)
    return Result(
        f"xor with 0 to 8 hidden tanh units, learning rate 0.3, momentum 0.6, {EPOCHS} epochs",
        ("hidden", "loss", "all right from epoch", "p(0, 0)", "p(0, 1)", "p(1, 0)", "p(1, 1)"),
        rows,
        Figure("Xor", [loss, *panels]),
        "Without a hidden layer the best answer to xor is 0.5 everywhere, a loss of log 2 = 0.693, because "
        "no line has both ones on the same side. A few hidden units bend the boundary around them, and "
        "more units find the way sooner.",
    )
