"""Classes that exclude each other, and labels that do not."""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from ..backend import AnyBackend, HostArray
from ..layers.dense import mlp
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel, Regions
from ..plots.grid import around, rows_of
from .data import clouds
from .result import Cell, Result, topic

CENTRES = np.array([[-2.0, -1.0], [2.0, -1.0], [0.0, 2.5]])
ASKED = {
    "A, centre of 1": [-2.0, -1.0],
    "B, between 1 and 2": [0.0, -1.0],
    "C, least sure": None,
    "D, far away": [0.0, -6.0],
}
"""Where both networks are asked; None: where softmax's largest p is least, among the clouds."""

INSIDE = 10
"""Points of the grid at each edge of the plane where no words begin."""


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
    softmax, sigmoid = (network.predict for network in networks.values())
    among = rows_of(*around(X))
    least = among[softmax(among).max(axis=1).argmin()].tolist()
    asked = {name: point or least for name, point in ASKED.items()}
    rows: list[tuple[Cell, ...]] = []
    for name, point in asked.items():
        for loss, network in networks.items():
            p = network.predict([point])[0].astype(np.float64)
            rows.append((name, loss.partition("_")[0], *p.tolist(), float(p.sum())))
    points = {f"class {i + 1}": X[labels == i] for i in range(3)}
    places = np.array(list(asked.values()))
    largest = Regions.of_probabilities(softmax, points, shown=places)
    yes = Regions.of_probabilities(sigmoid, points, exclusive=False, shown=places)
    one = np.eye(3)[softmax(places).argmax(axis=1)] > 0
    answers = [_asked(places, claimed) for claimed in (one, sigmoid(places) > 0.5)]
    answers.append(_overlaps(yes, {text[3:] for text in answers[1].texts}))
    return Result(
        "three clouds learned as exclusive classes (softmax) and as labels of their own (sigmoid)",
        ("point", "output", "p1", "p2", "p3", "sum"),
        rows,
        Figure(
            "Classes",
            [
                Panel("softmax: the class of the largest p", "x1", "x2", [answers[0]], ground=largest),
                Panel("sigmoid: every label with p > 0.5", "x1", "x2", answers[1:], ground=yes),
            ],
        ),
        "Softmax outputs compete and always sum to 1, so that they share out the plane, and even a point far "
        "from everything gets one class. Sigmoid outputs answer three separate questions, so that their "
        "regions overlap where several labels say yes, and leave a gap that none claims.",
        text=f"backpropagation before the first step of the softmax network:\n{nudges}",
    )


def _asked(places: HostArray, claimed: HostArray) -> Curve:
    """Return marks at the places (n, 2) that are asked about, with the classes (n, 3) that claim each."""
    texts = [f"{name[0]}: {_all_of(who)}" for name, who in zip(ASKED, claimed, strict=True)]
    return Curve("asked", places[:, 0], places[:, 1], points=True, texts=texts)


def _overlaps(regions: Regions, said: Container[str]) -> Curve:
    """Return words on the regions that two labels claim, where most clearly, but for what is `said`."""
    inside = np.s_[INSIDE:-INSIDE]
    margins = regions.margins[inside, inside]
    x, y, texts = [], [], []
    for pair in ([0, 1], [0, 2], [1, 2]):
        who = np.isin(np.arange(3), pair)
        clear = np.where(who, margins, -margins).min(axis=-1)
        row, column = np.unravel_index(clear.argmax(), clear.shape)
        if clear[row, column] > 0 and _all_of(who) not in said:
            x.append(float(regions.x1[inside][column]))
            y.append(float(regions.x2[inside][row]))
            texts.append(_all_of(who))
    return Curve("overlaps", x, y, texts=texts)


def _all_of(who: HostArray) -> str:
    """Return the classes that claim a place (3,), in words."""
    return " and ".join(str(i + 1) for i in np.flatnonzero(who)) or "none"
