"""Thinc on NumPy. Its SGD has no momentum, so the update is written by hand, in place, as its optimizers are.

The output layer is linear and its link and loss are written by hand too: Thinc's own cross-entropy does not
report a logarithmic loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from thinc.api import Linear, Model, Relu, Sigmoid, chain, get_current_ops, use_ops

from ..problem import LEARNING_RATE, MOMENTUM, Problem
from . import Form, Running

NAME, MODULE, DISTRIBUTIONS = "Thinc", "thinc.api", ("thinc",)

NOTE = "momentum added by hand: its SGD has none"


def forms(device: str) -> list[Form]:
    """Return a step and a loop of steps; only on the CPU."""
    if device != "cpu":
        return []
    return [
        Form("Thinc", "step", lambda problem: _running(problem, epochs=False), note=NOTE),
        Form("Thinc", "fit", lambda problem: _running(problem, epochs=True), note=NOTE),
    ]


class Training:
    """A Thinc model, its data and its update."""

    def __init__(self, problem: Problem) -> None:
        hidden = Sigmoid if problem.activation == "sigmoid" else Relu
        *below, (d, m) = problem.case.shapes
        with use_ops("numpy"):
            self.ops = get_current_ops()
            self.layers: list[Model] = [hidden(o, i) for i, o in below] + [Linear(m, d)]
            self.model = chain(*self.layers)
            self.model.initialize(problem.X[:2])
        for layer, (w, b) in zip(self.layers, problem.weights, strict=True):
            layer.set_param("W", w.T.copy())
            layer.set_param("b", b.copy())
        self.binary, self.X, self.targets = problem.binary, problem.X, problem.targets
        self.velocities: dict[Any, np.ndarray] = {}

    def step(self, rows: np.ndarray) -> float:
        """Learn from a batch; return its loss."""
        t = self.targets[rows]
        z, back = self.model.begin_update(self.X[rows])
        if self.binary:
            loss = (np.logaddexp(np.float32(0), z) - t * z).mean()
            delta = self.ops.sigmoid(z)
            delta -= t
        else:
            delta = self.ops.softmax(z)
            at = np.arange(len(t))
            loss = -np.log(delta[at, t]).mean()
            delta[at, t] -= 1
        delta /= len(t)
        back(delta)
        self.model.finish_update(self.update)
        return float(loss)

    def update(self, key: Any, values: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """v = mu v - lr g, w = w + v, in place; Thinc calls this for every array."""
        velocity = self.velocities.get(key)
        if velocity is None:
            velocity = self.velocities[key] = np.zeros_like(values)
        velocity *= MOMENTUM
        gradient *= LEARNING_RATE
        velocity -= gradient
        values += velocity
        gradient.fill(0)
        return values, gradient

    def weights(self) -> list[tuple[Any, Any]]:
        """Return weights (inputs, outputs) and biases."""
        return [(layer.get_param("W").T, layer.get_param("b")) for layer in self.layers]


def _running(problem: Problem, *, epochs: bool) -> Running:
    training, n = Training(problem), problem.case.batch
    order, taken, rng = problem.order, 0, np.random.default_rng(0)

    def run(steps: int) -> None:
        nonlocal order, taken
        for _ in range(steps):
            k = taken % problem.batches
            if k == 0 and epochs and problem.shuffle:
                order = rng.permutation(len(problem.X))
            training.step(order[k * n : (k + 1) * n])
            taken += 1

    return Running(run, training.weights, problem.batches if epochs else 1)
