"""The perceptron finds a line wherever there is one, and says so where there is none."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..backend import AnyBackend, HostArray
from ..perceptron import NotSeparable, Perceptron
from ..plots import Curve, Figure, Film, Panel, Regions
from .data import CORNERS, XOR, clouds
from .result import Cell, Result, topic

CENTRES = np.array([[-2.0, -1.0], [2.0, 1.0]])
EPOCHS = 25
MOVING = ("and", "xor")
"""The sets whose lines a film shows, at every second epoch."""


@topic("The perceptron finds a line wherever there is one, and says so where there is none.", moves=True)
def perceptron(backend: AnyBackend, seed: int) -> Result:
    """Learn and, or, two clouds and xor, each by the perceptron rule."""
    points, labels = clouds(np.random.default_rng(seed), CENTRES, 30, 0.6)
    sets = {
        "and": _Set(CORNERS, CORNERS.min(axis=1)),
        "or": _Set(CORNERS, CORNERS.max(axis=1)),
        "two clouds": _Set(points, labels),
        "xor": _Set(CORNERS, XOR),
    }

    def learned(name: str, epochs: int) -> Perceptron:
        """Learn a set; the same seed, and so the same steps, whatever the most epochs are."""
        learner = Perceptron(epochs=epochs, seed=seed, backend=backend)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotSeparable)  # the table says it
            learner.fit(sets[name].X, sets[name].target)
        return learner

    def frame(number: int) -> Figure:
        learners = {name: learned(name, 2 * number + 1) for name in sets}
        return _figure({name: sets[name] for name in MOVING}, learners, [learners["xor"]])

    learners = {name: learned(name, EPOCHS) for name in sets}
    # Lines that pass beside the square give one answer alone, and show little.
    xor = [learned("xor", epochs) for epochs in range(1, EPOCHS + 1)]
    xor.sort(key=lambda learner: np.ptp(learner.predict(CORNERS)))
    last = xor[-1].predict(CORNERS)
    other = next((line for line in reversed(xor) if (line.predict(CORNERS) != last).any()), xor[0])
    rows: list[tuple[Cell, ...]] = []
    for name, learner in learners.items():
        found = learner.boundary() if learner.converged else "none found"
        counts = len(learner.mistakes), learner.mistakes[-1]
        rows.append((name, "yes" if learner.converged else "no", *counts, found))
    return Result(
        f"the perceptron rule w = w + (t - y) x, from zero weights, at most {EPOCHS} epochs",
        ("set", "converged", "epochs", "mistakes in the last", "line"),
        rows,
        _figure(sets, learners, sorted([other, xor[-1]], key=lambda line: len(line.mistakes))),
        "Where a line separates the two answers, the perceptron stops making mistakes after finitely many "
        "steps, and its weights are that line. Of xor's four points every line has at least one on the wrong "
        "side, so that each correction makes another mistake for as long as it is allowed to go on.",
        film=Film(frame, (EPOCHS + 1) // 2, seconds=0.7),
    )


@dataclass(frozen=True, eq=False)
class _Set:
    """Rows (n, 2) with their answers (n,)."""

    X: HostArray
    target: HostArray

    def panel(self, title: str, learner: Perceptron) -> Panel:
        """Return the plane with the line of a perceptron, and the rows that are wrong there."""
        score = _score(learner)
        wrong = self.X[learner.predict(self.X) != self.target]
        marks = [Curve("wrong", wrong[:, 0], wrong[:, 1], texts=["wrong"] * len(wrong))] if len(wrong) else []
        if len(wrong):
            title += f": {len(wrong)} wrong"
        elif not score(self.X).all():
            title += ": on the line, the answer is 0"
        points = {f"t = {t}": self.X[self.target == t] for t in (0, 1)}
        return Panel(title, "x1", "x2", marks, ground=Regions.of_scores(score, points))


def _figure(
    sets: Mapping[str, _Set], learners: Mapping[str, Perceptron], xor: Sequence[Perceptron]
) -> Figure:
    """Return the mistakes by epoch, the lines of the sets but xor's, and some lines of xor."""
    curves = [Curve(name, range(1, len(each.mistakes) + 1), each.mistakes) for name, each in learners.items()]
    ends = (0.0, EPOCHS + 1.0), (-0.2, len(CORNERS) + 0.2)
    panels = [
        Panel(
            "mistakes made while learning",
            "epoch",
            "wrong before each correction (rows)",
            curves,
            x_limits=ends[0],
            y_limits=ends[1],
        ),
    ]
    panels += [each.panel(name, learners[name]) for name, each in sets.items() if name != "xor"]
    panels += [sets["xor"].panel(f"xor, after epoch {len(line.mistakes)}", line) for line in xor]
    return Figure("Perceptron", panels)


def _score(learner: Perceptron) -> Callable[[HostArray], HostArray]:
    """Return a function from rows (n, 2) to weighted sums (n,), above 0 where the perceptron answers 1."""
    weights, bias = learner.weights()
    return lambda rows: rows @ weights + bias
