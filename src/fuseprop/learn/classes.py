"""Classes that exclude each other, and labels that do not."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend
from ..layers.dense import mlp
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Figure, Panel, Regions
from .data import clouds
from .result import Cell, Result, topic

CENTRES = np.array([[-2.0, -1.0], [2.0, -1.0], [0.0, 2.5]])
ASKED = {
    "centre of 1": [-2.0, -1.0],
    "between 1 and 2": [0.0, -1.0],
    "between all": [0.0, 0.2],
    "far away": [0.0, -9.0],
}


@topic("Classes that exclude each other, and labels that do not.")
def classes(backend: AnyBackend, seed: int) -> Result:
    """Train softmax and sigmoid outputs on the same three clouds, and ask both about the same points."""
    X, labels = clouds(np.random.default_rng(seed), CENTRES, 40, 0.8)
    one_hot = np.eye(3)[labels]
    networks = {}
    for loss, target in (("softmax_cross_entropy", labels), ("sigmoid_cross_entropy", one_hot)):
        networks[loss] = network = Network(mlp([2, 8, 3], "tanh"), loss, seed=seed, backend=backend)
        network.fit(X, target, MomentumSGD(0.1, 0.9), epochs=60, batch_size=30)
    rows: list[tuple[Cell, ...]] = []
    for name, point in ASKED.items():
        for loss, network in networks.items():
            p = network.predict([point])[0].astype(np.float64)
            rows.append((name, loss.partition("_")[0], *p.tolist(), float(p.sum())))
    points = {f"class {i + 1}": X[labels == i] for i in range(3)}
    largest = Regions.of_probabilities(networks["softmax_cross_entropy"].predict, points)
    yes = Regions.of_probabilities(networks["sigmoid_cross_entropy"].predict, points, exclusive=False)
    return Result(
        "three clouds learned as exclusive classes (softmax) and as labels of their own (sigmoid)",
        ("point", "output", "p1", "p2", "p3", "sum"),
        rows,
        Figure(
            "Classes",
            [
                Panel("softmax: the largest p wins", "x1", "x2", ground=largest),
                Panel("sigmoid: labels that say yes (darker: more)", "x1", "x2", ground=yes),
            ],
        ),
        "Softmax outputs compete and always sum to 1, so that even a point far from everything gets a "
        "class. Sigmoid outputs answer three separate questions, and may say yes to several labels or to "
        "none.",
    )
