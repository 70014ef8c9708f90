"""The bias: without it a unit's boundary passes through the origin."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..backend import AnyBackend
from ..callbacks import OnEpochEnd
from ..callbacks.history import History
from ..layers.dense import mlp
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Figure, Panel, Regions
from .data import clouds
from .result import Cell, Result, topic

CENTRES = np.array([[0.5, 0.5], [2.5, 1.5]])
RATE, EPOCHS = 0.5, 200


@topic("The bias: without it, the boundary of a unit passes through the origin.")
def bias(backend: AnyBackend, seed: int) -> Result:
    """Train a sigmoid unit on two clouds, with its bias and with the bias held at 0."""
    X, labels = clouds(np.random.default_rng(seed), CENTRES, 40, 0.4)
    points = {f"t = {name}": X[labels == name] for name in (0, 1)}
    rows: list[tuple[Cell, ...]] = []
    panels = []
    for name, held in (("without a bias", True), ("with a bias", False)):
        layers = mlp([2, 1], initializer="zeros")
        network = Network(layers, "sigmoid_cross_entropy", seed=seed, backend=backend)
        # All rows are a step, and the bias is 0 again before the next one: the weights go the way of a unit
        # that has no bias, whose gradient is the same.
        callbacks = [OnEpochEnd(partial(bias_to_0, network))] if held else []
        optimizer = MomentumSGD(RATE, momentum=0.0)
        network.fit(X, labels, optimizer, epochs=EPOCHS, batch_size=len(X), callbacks=callbacks)
        ((weights, (b,)),) = network.weights()
        far = abs(b) / np.linalg.norm(weights)
        scores = network.evaluate(X, labels)
        numbers = (float(number) for number in (*weights[:, 0], b, far))
        rows.append((name, scores["loss"], scores["accuracy"], *numbers))
        ground = Regions.of_probabilities(network.predict, points)
        panels.append(Panel(f"{name}: p = 0.5", "x1", "x2", ground=ground, zeros=True))
    return Result(
        f"one sigmoid unit on two clouds of 40 points, {EPOCHS} epochs at learning rate {RATE:g}",
        ("unit", "loss", "accuracy", "w1", "w2", "b", "boundary to origin"),
        rows,
        Figure("Bias", panels),
        "Without a bias the weighted sum of the origin is 0 whatever the weights are, so that the boundary "
        "can turn about the origin but not leave it, and cuts through a cloud. The bias moves it away from "
        "the origin, by |b| / ||w||, to between the clouds.",
    )


def bias_to_0(network: Network, _: History | None = None) -> None:
    """Set the bias of a unit to 0, after an epoch or a step."""
    ((weights, b),) = network.weights()
    network.set_weights([(weights, np.zeros_like(b))])
