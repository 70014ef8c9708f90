"""Gradients vanish on the way back through many sigmoids, explode through large weights, and pass ReLUs."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend, HostArray
from ..layers.dense import mlp
from ..layers.initialization import INITIALIZERS, Initializer
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel
from .result import Cell, Result, topic

DEPTHS = (2, 4, 6, 8, 12, 16, 20)
TOO_LARGE = 2
WIDTH = 32


def _too_large(rng: np.random.Generator, inputs: int, outputs: int) -> HostArray:
    return TOO_LARGE * INITIALIZERS["he"](rng, inputs, outputs)


CASES: tuple[tuple[str, str, Initializer | None], ...] = (
    ("sigmoid", "Glorot", None),
    ("tanh", "Glorot", None),
    ("relu", "He", None),
    ("relu", f"{TOO_LARGE} x He", _too_large),
)
"""Activations, the weights that they start with, and what draws other ones than by default."""


@topic("Gradients vanish through many sigmoids, explode through large weights, and pass ReLUs.")
def vanishing(backend: AnyBackend, seed: int) -> Result:
    """Take one step with networks of 2 to 20 hidden layers and compare the gradients of their layers."""
    rng = np.random.default_rng(seed)
    X, target = rng.normal(size=(64, 8)), rng.normal(size=(64, 1))
    rows: list[tuple[Cell, ...]] = []
    first, layers = [], []
    for activation, weights, initializer in CASES:
        norms = {}
        for depth in DEPTHS:
            sizes = [8, *[WIDTH] * depth, 1]
            starting = mlp(sizes, activation, initializer=initializer)
            network = Network(starting, "half_squared_error", seed=seed, backend=backend)
            history = network.fit(X, target, MomentumSGD(1e-3), epochs=1, batch_size=len(X), norms=True)
            norms[depth] = by_layer = history.gradient_norms[0]
            rows.append((activation, weights, depth, *_ends(by_layer)))
        name = activation if initializer is None else f"{activation}, weights x {TOO_LARGE}"
        first.append(Curve(name, DEPTHS, [norms[depth][0] for depth in DEPTHS]))
        deepest = norms[DEPTHS[-1]]
        layers.append(Curve(name, range(1, len(deepest) + 1), deepest))
    return Result(
        f"gradient norms in the first step, {WIDTH} units a hidden layer",
        ("activation", "weights", "hidden layers", "first layer", "last layer", "first / last"),
        rows,
        Figure(
            "Vanishing and exploding gradients",
            [
                Panel("first layer", "hidden layers", "||dL/d(W, b)||", first, log_y=True),
                Panel(f"{DEPTHS[-1]} hidden layers", "layer", "||dL/d(W, b)||", layers, log_y=True),
            ],
        ),
        "Each layer on the way back multiplies the gradient by its slopes and its weights: a sigmoid's slope "
        "is 1/4 at most, so that through many of them the gradient vanishes and the first layers learn "
        "almost nothing, while weights that are twice too large double every layer's output and gradient, "
        "so that both explode. ReLU's slope is 1 wherever it lets anything through, and with weights of the "
        "right size (He) its gradient arrives.",
    )


def _ends(norms: list[float]) -> tuple[float, float, float]:
    return norms[0], norms[-1], norms[0] / norms[-1]
