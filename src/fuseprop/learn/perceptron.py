"""The perceptron finds a line wherever there is one, and says so where there is none."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from ..backend import AnyBackend, HostArray
from ..perceptron import NotSeparable, Perceptron
from ..plots import Curve, Figure, Panel, Regions
from .data import CORNERS, XOR, clouds
from .result import Cell, Result, topic

CENTRES = np.array([[-2.0, -1.0], [2.0, 1.0]])


@topic("The perceptron finds a line wherever there is one, and says so where there is none.")
def perceptron(backend: AnyBackend, seed: int) -> Result:
    """Learn and, or, two clouds and xor, each by the perceptron rule."""
    points, labels = clouds(np.random.default_rng(seed), CENTRES, 30, 0.6)
    sets = {
        "and": (CORNERS, CORNERS.min(axis=1)),
        "or": (CORNERS, CORNERS.max(axis=1)),
        "two clouds": (points, labels),
        "xor": (CORNERS, XOR),
    }
    rows: list[tuple[Cell, ...]] = []
    curves, panels = [], []
    for name, (X, target) in sets.items():
        learner = Perceptron(learning_rate=0.1, epochs=25, seed=seed, backend=backend)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotSeparable)  # the table says it
            converged = learner.fit(X, target)
        epochs = len(learner.mistakes)
        found = learner.boundary() if converged else "none found"
        rows.append((name, "yes" if converged else "no", epochs, learner.mistakes[-1], found))
        curves.append(Curve(name, range(1, epochs + 1), learner.mistakes))
        if name in ("and", "two clouds", "xor"):
            classes = {str(answer): X[target == answer] for answer in (0, 1)}
            panels.append(Panel(name, "x1", "x2", ground=Regions.of_scores(_score(learner), classes)))
    mistakes = Panel("mistakes", "epoch", "wrong answers (rows)", curves)
    return Result(
        "the perceptron rule w = w + 0.1 (t - y) x, from zero weights, at most 25 epochs",
        ("set", "converged", "epochs", "mistakes in the last", "line"),
        rows,
        Figure("Perceptron", [mistakes, *panels]),
        "On every set that a line separates the perceptron stops making mistakes after finitely many "
        "steps, and its weights are the line. On xor no line is right for all four points, so that it goes "
        "on correcting itself for as long as it is allowed to.",
    )


def _score(learner: Perceptron) -> Callable[[HostArray], HostArray]:
    """Return a function from rows (n, 2) to weighted sums (n,), above 0 where the perceptron answers 1."""
    weights, bias = learner.weights()
    return lambda rows: rows @ weights + bias
