"""Classes that exclude each other, and labels that do not."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend
from ..layers.dense import mlp
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel, Regions
from .data import clouds
from .result import Cell, Result, topic

CENTRES = np.array([[-2.0, -1.0], [2.0, -1.0], [0.0, 2.5]])
ASKED = {
    "A, centre of 1": [-2.0, -1.0],
    "B, between 1 and 2": [0.0, -1.0],
    "C, between all": [0.0, 0.2],
    "D, far away": [0.0, -9.0],
}


@topic("Classes that exclude each other, and labels that do not.")
def classes(backend: AnyBackend, seed: int) -> Result:
    """Train softmax and sigmoid outputs on the same three clouds, and ask both about the same points."""
    X, labels = clouds(np.random.default_rng(seed), CENTRES, 40, 0.8)
    one_hot = np.eye(3)[labels]
    networks, nudges = {}, ""
    for loss, target in (("softmax_cross_entropy", labels), ("sigmoid_cross_entropy", one_hot)):
        networks[loss] = network = Network(mlp([2, 8, 3], "tanh"), loss, seed=seed, backend=backend)
        nudges = nudges or network.trace(X, target).explain()
        network.fit(X, target, MomentumSGD(0.1, 0.9), epochs=60, batch_size=30)
    rows: list[tuple[Cell, ...]] = []
    for name, point in ASKED.items():
        for loss, network in networks.items():
            p = network.predict([point])[0].astype(np.float64)
            rows.append((name, loss.partition("_")[0], *p.tolist(), float(p.sum())))
    points = {f"class {i + 1}": X[labels == i] for i in range(3)}
    places = np.array(list(ASKED.values()))
    asked = Curve("asked", places[:, 0], places[:, 1], points=True, texts=[name[0] for name in ASKED])
    softmax, sigmoid = (network.predict for network in networks.values())
    largest = Regions.of_probabilities(softmax, points, shown=places)
    yes = Regions.of_probabilities(sigmoid, points, exclusive=False, shown=places)
    return Result(
        "three clouds learned as exclusive classes (softmax) and as labels of their own (sigmoid)",
        ("point", "output", "p1", "p2", "p3", "sum"),
        rows,
        Figure(
            "Classes",
            [
                Panel("softmax: the class of the largest p", "x1", "x2", [asked], ground=largest),
                Panel("sigmoid: every label with p > 0.5", "x1", "x2", [asked], ground=yes),
            ],
        ),
        "Softmax outputs compete and always sum to 1, so that they share out the plane, and even a point far "
        "from everything gets one class. Sigmoid outputs answer three separate questions, so that their "
        "regions overlap where several labels say yes, and leave white what none claims.",
        text=f"backpropagation before the first step of the softmax network:\n{nudges}",
    )
