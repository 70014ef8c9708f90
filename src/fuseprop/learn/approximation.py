"""One hidden layer approximates any function, the better the wider it is."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend, HostArray
from ..layers.dense import Dense
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel
from ..schedules import Cosine
from .result import Cell, Result, topic

WIDTHS = (1, 2, 4, 8, 16)
SHOWN = (1, 4, 16)
TAKEN_APART = 4
DRAWN = 201
STARTS, EPOCHS = 3, 1000


@topic("One hidden layer approximates any function, the better the wider it is.")
def approximation(backend: AnyBackend, seed: int) -> Result:
    """Fit a wave with wider and wider hidden layers, and measure between the points learned from."""
    x = np.linspace(-1.0, 1.0, 64).reshape(-1, 1)
    between = (x[1:] + x[:-1]) / 2
    rows: list[tuple[Cell, ...]] = []
    everywhere = np.linspace(-1.0, 1.0, DRAWN).reshape(-1, 1)
    parts, curves = [], [Curve("the wave, every 3rd row", x[::3, 0], _wave(x[::3])[:, 0], points=True)]
    for width in WIDTHS:
        networks = [_trained(backend, [seed, start], width, x) for start in range(STARTS)]
        scores = [network.evaluate(between, _wave(between))["loss"] ** 0.5 for network in networks]
        best = networks[scores.index(min(scores))]
        largest = float(np.abs(best.predict(between) - _wave(between)).max())
        rows.append((width, best.stack.parameters.count, min(scores), max(scores), largest))
        if width in SHOWN:
            label = f"{width} unit{'s' * (width > 1)}"
            curves.insert(0, Curve(label, everywhere[:, 0], best.predict(everywhere)[:, 0]))
        if width == TAKEN_APART:
            parts = _parts(best, everywhere)
    errors = Curve("error", WIDTHS, [float(row[2]) for row in rows])
    return Result(
        f"sin(2 pi x) + x/2 on [-1, 1], one hidden tanh layer, {STARTS} starts; errors: root mean squares",
        ("units", "parameters", "error of the best", "of the worst", "largest error of the best"),
        rows,
        Figure(
            "Approximation",
            [
                Panel("sin(2 pi x) + x/2 and three networks", "x", "y", curves),
                Panel(f"the {TAKEN_APART} units, one by one", "x", "weight times output", parts),
                Panel(
                    "error over width",
                    "hidden units",
                    "root mean squared error",
                    [errors],
                    log_x=True,
                    log_y=True,
                ),
            ],
        ),
        "One hidden unit makes one S-shaped step, and a wave is the sum of several: each doubling of the "
        "width adds steps and lowers the error, between the points learned from too. That enough units "
        "suffice for any continuous function is the universal approximation theorem; that descent finds "
        "their weights it does not promise.",
    )


def _trained(backend: AnyBackend, seed: list[int], width: int, x: HostArray) -> Network:
    rng = np.random.default_rng(seed)
    layers = [bends(width, 2.0 + width / 4), Dense(width, 1, "identity")]
    network = Network(layers, "mean_squared_error", seed=rng, backend=backend)
    optimizer = MomentumSGD(Cosine(0.05, EPOCHS), 0.9)
    network.fit(x, _wave(x), optimizer, epochs=EPOCHS, batch_size=16)
    return network


def _parts(network: Network, x: HostArray) -> list[Curve]:
    """Return a network's output, and what each hidden unit adds to it: its own output times its weight."""
    [_, (weights, _)] = network.weights()
    added = network.trace(x, _wave(x)).a[0] * weights[:, 0]
    units = [Curve(f"unit {i}", x[:, 0], part) for i, part in enumerate(added.T, 1)]
    return [Curve("sum + bias", x[:, 0], network.predict(x)[:, 0]), *units]


def _wave(x: HostArray) -> HostArray:
    return np.sin(2 * np.pi * x) + x / 2


def bends(width: int, slope: float, dropout: float = 0.0) -> Dense:
    """Return a hidden layer whose units bend at places spread over [-1, 1]: all at 0 would learn slowly."""
    places = np.linspace(-1.0, 1.0, width + 2)[1:-1]
    weights = np.full((1, width), slope)
    return Dense(1, width, "tanh", weights=weights, bias=-slope * places, dropout=dropout)
