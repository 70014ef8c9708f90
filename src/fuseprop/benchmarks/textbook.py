"""The training step as a textbook writes it: a temporary for every line, in whatever dtype it is given.

In float64 this is what the gate compares with; in float32 it is one of the peers. `xp` is NumPy or CuPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .problem import LEARNING_RATE, MOMENTUM, Problem

Weights = list[tuple[Any, Any]]


class Textbook:
    """A network in training: weights and velocities, (W, b) of each layer."""

    def __init__(self, problem: Problem, dtype: str, xp: Any = np) -> None:
        self.xp = xp
        self.activation = problem.activation
        self.binary = problem.binary
        self.X = xp.asarray(problem.X, dtype)
        self.batches = problem.order.reshape(problem.batches, problem.case.batch)
        self.targets = xp.asarray(problem.targets.astype(dtype) if self.binary else problem.targets)
        self.weights: Weights = [(xp.array(w, dtype), xp.array(b, dtype)) for w, b in problem.weights]
        self.velocities: Weights = [(xp.zeros_like(w), xp.zeros_like(b)) for w, b in self.weights]

    def train(self, steps: int) -> None:
        """Take the first steps of the problem's order."""
        for k in range(steps):
            self.step(self.batches[k % len(self.batches)])

    def loss_with(self, weights: Weights, rows: slice) -> float:
        """Return the mean loss of rows with these weights."""
        kept = self.weights
        self.weights = [
            (self.xp.asarray(w, self.X.dtype), self.xp.asarray(b, self.X.dtype)) for w, b in weights
        ]
        loss = self.loss(self.forward(self.X[rows])[-1], self.targets[rows])[0]
        self.weights = kept
        return float(loss)

    def step(self, rows: Any) -> Any:
        """Learn from the rows with these numbers; return their mean loss before the step."""
        outputs = self.forward(self.X[rows])
        loss, delta = self.loss(outputs[-1], self.targets[rows])
        gradients: Weights = []
        for i in reversed(range(len(self.weights))):
            gradients.insert(0, (outputs[i].T @ delta, delta.sum(axis=0)))
            if i:
                y = outputs[i]
                slope = y * (1 - y) if self.activation == "sigmoid" else y > 0
                delta = (delta @ self.weights[i][0].T) * slope
        self.velocities = [
            (MOMENTUM * vw - LEARNING_RATE * gw, MOMENTUM * vb - LEARNING_RATE * gb)
            for (vw, vb), (gw, gb) in zip(self.velocities, gradients, strict=True)
        ]
        self.weights = [
            (w + vw, b + vb) for (w, b), (vw, vb) in zip(self.weights, self.velocities, strict=True)
        ]
        return loss

    def forward(self, x: Any) -> list[Any]:
        """Return the inputs and every layer's output, the last one before sigmoid or softmax."""
        xp, outputs = self.xp, [x]
        for i, (w, b) in enumerate(self.weights, 1):
            z = outputs[-1] @ w + b
            if i < len(self.weights):
                z = 1 / (1 + xp.exp(-z)) if self.activation == "sigmoid" else xp.maximum(z, 0)
            outputs.append(z)
        return outputs

    def loss(self, z: Any, target: Any) -> tuple[Any, Any]:
        """Return the mean cross-entropy of the rows, and its derivative by z."""
        xp, n = self.xp, len(z)
        if self.binary:
            p = 1 / (1 + xp.exp(-z))
            return -(target * xp.log(p) + (1 - target) * xp.log(1 - p)).mean(), (p - target) / n
        e = xp.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        rows = xp.arange(n)
        loss = -xp.log(p[rows, target]).mean()
        p[rows, target] -= 1
        return loss, p / n
