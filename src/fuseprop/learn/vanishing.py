"""Gradients vanish on the way back through many sigmoids, and through ReLUs do not."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend
from ..layers.dense import mlp
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel
from .result import Cell, Result, topic

DEPTHS = (2, 4, 6, 8, 12, 16, 20)
ACTIVATIONS = ("sigmoid", "tanh", "relu")
WIDTH = 32


@topic("Gradients vanish on the way back through many sigmoids, and through ReLUs do not.")
def vanishing(backend: AnyBackend, seed: int) -> Result:
    """Take one step with networks of 2 to 20 hidden layers and compare the gradients of their layers."""
    rng = np.random.default_rng(seed)
    X, target = rng.normal(size=(64, 8)), rng.normal(size=(64, 1))
    rows: list[tuple[Cell, ...]] = []
    first, layers = [], []
    for activation in ACTIVATIONS:
        norms = {}
        for depth in DEPTHS:
            sizes = [8, *[WIDTH] * depth, 1]
            network = Network(mlp(sizes, activation), "half_squared_error", seed=seed, backend=backend)
            history = network.fit(X, target, MomentumSGD(1e-3), epochs=1, batch_size=len(X), norms=True)
            norms[depth] = by_layer = history.gradient_norms[0]
            rows.append((activation, depth, by_layer[0], by_layer[-1], by_layer[0] / by_layer[-1]))
        first.append(Curve(activation, DEPTHS, [norms[depth][0] for depth in DEPTHS]))
        deepest = norms[DEPTHS[-1]]
        layers.append(Curve(activation, range(1, len(deepest) + 1), deepest))
    return Result(
        f"gradient norms in the first step, {WIDTH} units a hidden layer, weights drawn by Glorot and He",
        ("activation", "hidden layers", "first layer", "last layer", "first / last"),
        rows,
        Figure(
            "Vanishing gradients",
            [
                Panel("first layer", "hidden layers", "||dL/d(W, b)||", first, log_y=True),
                Panel(f"{DEPTHS[-1]} hidden layers", "layer", "||dL/d(W, b)||", layers, log_y=True),
            ],
        ),
        "A sigmoid's slope is 1/4 at most, so that each layer on the way back takes a factor off the "
        "gradient, and the first layers of a deep sigmoid network learn almost nothing. ReLU's slope is 1 "
        "wherever it lets anything through, and with weights of the right size (He) its gradient arrives.",
    )
