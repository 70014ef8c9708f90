"""One neuron: it weighs its inputs, adds them up, and says yes above a threshold, which the bias moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backend import AnyBackend
from ..layers.dense import Dense
from ..network import Network
from ..plots import Curve, Figure, Panel, Regions
from .data import CORNERS
from .result import Cell, Result, topic

WEIGHTS = (2.0, 1.0)
"""Of two reasons to go swimming: that it is hot counts twice as much as that friends come."""

INPUTS = ("x1: it is hot (no 0, yes 1)", "x2: friends come (no 0, yes 1)")

SAYS_YES = {-0.5: "x1 or x2", -1.5: "x1 alone decides", -2.5: "x1 and x2"}
"""The biases, and what the unit then says yes to."""


@topic("One neuron: inputs by weights, a sum, a step, and the bias that moves its threshold.")
def neuron(backend: AnyBackend, seed: int) -> Result:  # noqa: ARG001
    """Ask units with a step, of equal weights and three biases, about all inputs; nothing is learned."""
    sums = _units("identity", [0.0], backend).predict
    answers = _units("step", [*SAYS_YES], backend).predict
    rows: list[tuple[Cell, ...]] = [
        (int(x1), int(x2), float(total), *map(int, said))
        for (x1, x2), (total,), said in zip(CORNERS, sums(CORNERS), answers(CORNERS), strict=True)
    ]
    way = np.linspace(-0.2, 1.2, 421)[:, None] * [1.0, 1.0]  # along which the sum grows from -0.6 to 3.6
    totals, said = sums(way)[:, 0].tolist(), answers(way)
    steps = [
        Curve(f"b = {bias:g}: threshold {-bias:g}", totals, said[:, i].tolist())
        for i, bias in enumerate(SAYS_YES)
    ]
    panels = [Panel("a step at the threshold -b", "weighted sum 2 x1 + x2", "output y", steps)]
    for bias, name in SAYS_YES.items():
        yes = _units("step", [bias], backend).predict(CORNERS)[:, 0] == 1
        points = {"y = 0": CORNERS[~yes], "y = 1": CORNERS[yes]}
        ground = Regions.of_scores(_units("identity", [bias], backend).predict, points)
        panels.append(Panel(f"b = {bias:g}: {name}", *INPUTS, ground=ground))
    return Result(
        "shall we swim? y = step(2 x1 + x2 + b), with x1: it is hot, and x2: friends come",
        ("x1", "x2", "2 x1 + x2", *(f"y, b = {bias:g}" for bias in SAYS_YES)),
        rows,
        Figure("Neuron: y = step(2 x1 + x2 + b)", panels),
        "The neuron says yes where its weighted sum is above the threshold -b, so that a lower bias asks for "
        "more: for any one of the two inputs, then for the one with the larger weight, then for both. The "
        "inputs whose sum is just the threshold are a line in their plane, to which the weights give its "
        "direction and the bias its place.",
    )


def _units(activation: str, biases: Sequence[float], backend: AnyBackend) -> Network:
    """Return units of equal weights, one for each bias."""
    weights = np.tile(np.reshape(WEIGHTS, (2, 1)), len(biases))
    layer = Dense(2, len(biases), activation, weights=weights, bias=biases)
    return Network([layer], "half_squared_error", seed=0, backend=backend)
