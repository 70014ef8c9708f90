"""Evolution of a network's weights, against backpropagation on the same network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from ..backend import AnyBackend, HostArray
from ..callbacks import OnEpochEnd
from ..callbacks.history import History
from ..data.datasets import load_dataset
from ..genetic import GeneticSearch
from ..layers.dense import Dense, mlp
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel
from .data import CORNERS, XOR
from .result import Cell, Result, topic

POPULATION, GENERATIONS, EPOCHS = 100, 100, 2000
"""Both ways end before, where they reach the goal."""

HELD_OUT = 50
"""Rows of iris that neither way sees."""


@dataclass(frozen=True)
class Task:
    """Layers for rows (X, target), other rows to be asked about, and a loss that is low enough."""

    name: str
    layers: Sequence[Dense]
    loss: str
    rows: tuple[HostArray, HostArray]
    asked: tuple[HostArray, HostArray]
    goal: float


@dataclass(frozen=True)
class Way:
    """The loss after so many passes of all rows through the network, and after so many seconds."""

    task: str
    by: str
    loss: Sequence[float]
    passes: Sequence[int]
    seconds: Sequence[float]


@topic("Evolution finds weights without a gradient, and pays for it in passes.")
def genetic(backend: AnyBackend, seed: int) -> Result:
    """Learn xor and iris both ways, from the same starting weights, and xor with steps, which one can."""
    corners = CORNERS, XOR
    xor = Task("xor", mlp([2, 4, 1], "tanh"), "sigmoid_cross_entropy", corners, corners, 0.01)
    iris = Task("iris", mlp([4, 8, 3], "tanh"), "softmax_cross_entropy", *_iris(seed), 0.08)
    layers = mlp([2, 4, 1], "step", output_activation="step")
    steps = Task("xor with steps", layers, "half_squared_error", corners, corners, 0.0)
    rows: list[tuple[Cell, ...]] = []
    ways, refusals = [], []
    for task in (xor, iris, steps):
        for by, learn in LEARNERS.items():
            network = Network(task.layers, task.loss, seed=seed, backend=backend)
            try:
                way = learn(network, task, seed)
            except ValueError as error:
                refusals.append(f"{task.name}, {by}: {error}")
                rows.append((task.name, by, *3 * ["refused"]))
                continue
            X, target = task.asked
            right = network.classify(X).reshape(target.shape) == target
            loss = network.evaluate(*task.rows)["loss"]
            rows.append((task.name, by, loss, float(right.mean()), way.passes[-1]))
            ways.append(way)
    return Result(
        f"xor, and iris without {HELD_OUT} held-out rows, learned until the loss is low: by gradient descent "
        f"(learning rate 0.3, momentum 0.6), and by the evolution of {POPULATION} candidates",
        ("task", "by", "loss", "share decided right", "passes"),
        rows,
        Figure("Evolution and backpropagation", [_panel(t, of, ways) for t in (xor, iris) for of in UNITS]),
        "Evolution needs no gradient, so that it learns even with steps, whose slope is 0 everywhere; but it "
        "learns of each candidate only how good it is, and needs many times as many passes to the same "
        "loss. Backpropagation learns from two passes in which direction every weight should go.",
        _text(ways, refusals, backend.device),
    )


def _descend(network: Network, task: Task, _seed: int) -> Way:
    """Learn by backpropagation: an epoch is one step, a pass forward and one backward."""

    def end_at_goal(history: History) -> None:
        if history.train_loss[-1] <= task.goal:
            history.stop("goal")

    history = network.fit(
        *task.rows,
        MomentumSGD(0.3, 0.6),
        epochs=EPOCHS,
        batch_size=len(task.rows[0]),
        callbacks=[OnEpochEnd(end_at_goal)],
    )
    passes = range(2, 2 * history.epochs + 1, 2)
    return Way(task.name, "backpropagation", history.train_loss, passes, list(accumulate(history.seconds)))


def _evolve(network: Network, task: Task, seed: int) -> Way:
    """Learn by evolution: a candidate is one pass forward."""
    search = GeneticSearch(POPULATION, seed=seed)
    evolution = search.fit(network, *task.rows, generations=GENERATIONS, goal=task.goal)
    return Way(task.name, "evolution", evolution.best_loss, evolution.evaluations, evolution.seconds)


LEARNERS = {"backpropagation": _descend, "evolution": _evolve}
"""By what they learn by; each returns its way."""

UNITS = {"passes": "passes of all rows", "seconds": "seconds"}
"""What a way is measured in, and what is written at the axis."""


def _iris(seed: int) -> tuple[tuple[HostArray, HostArray], tuple[HostArray, HostArray]]:
    """Return rows of iris to learn from and held-out ones, standardized by the former."""
    table = load_dataset("iris")
    _, labels = np.unique(np.asarray(table.targets, str), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(table.X))
    kept, held_out = order[HELD_OUT:], order[:HELD_OUT]
    X = (table.X - table.X[kept].mean(axis=0)) / table.X[kept].std(axis=0)
    labels = labels.reshape(len(X))
    return (X[kept], labels[kept]), (X[held_out], labels[held_out])


def _panel(task: Task, of: str, ways: Sequence[Way]) -> Panel:
    curves = [Curve(way.by, getattr(way, of), way.loss) for way in ways if way.task == task.name]
    return Panel(task.name, UNITS[of], "cross-entropy (nats a row)", curves, log_x=True, log_y=True)


def _text(ways: Sequence[Way], refusals: Sequence[str], device: str) -> str:
    """Return what is counted, how long it took, and what was refused."""
    took = "; ".join(f"{way.task}, {way.by}: {way.seconds[-1]:.2g} s" for way in ways)
    return "\n".join(
        [
            "A pass takes all rows through the network once: a step of backpropagation is two, one forward "
            "and one backward, and a candidate of evolution one. Of iris, the held-out rows are decided.",
            f"On {device}: {took}.",
            *refusals,
        ]
    )
