"""A training step by which `fuseprop doctor` tests a GPU: 784-640-10, replayed, beside NumPy in float64.

It has what the steps of users have: the gather of a batch, products by cuBLAS and by the kernel for small
ones, launches on the side stream and the waits between the two, an update, and a cursor that advances.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fuseprop.backend import (
    IDENTITY,
    INTEGER,
    ActivationFormula,
    Call,
    Program,
    Runner,
    UpdateFormula,
    variable,
)

from ..operations.launching import Operations

SIZES, BATCH, STEPS = (784, 640, 10), 32, 5
DIVIDED = (1, 3, 1)
"""The steps of each call of the replay: one that warms up, a graph of three steps, and a single step."""

LEARNING_RATE, MOMENTUM = 0.1, 0.9


def _formulas() -> tuple[ActivationFormula, UpdateFormula]:
    """Return sigmoid and momentum as a user would write them, so that their kernels are compiled here."""
    w, g, v, z, y, a, mu = map(variable, ("w", "g", "v", "z", "y", "a", "mu"))
    moved = mu * v - a * g
    sigmoid = ActivationFormula(1 / (1 + np.exp(-z)), y * (1 - y))
    return sigmoid, UpdateFormula(w + moved, (("v", moved),), ("a", "mu"))


HIDDEN, UPDATE = _formulas()

BOUND = 100
"""The largest error that passes, in the dtype's eps, relative to numbers beyond 1. NumPy in float32 has 2,
and 2,500 with the factors of its products rounded to TF32."""

Arrays: TypeAlias = dict[str, NDArray[Any]]


class Trial:
    """The step on one backend: its program, and the results that it should have."""

    def __init__(self, backend: Operations) -> None:
        self._backend = backend
        self._start = _start()
        self._on = {
            name: backend.from_host(array, dtype=None if array.dtype.kind == "f" else INTEGER)
            for name, array in self._start.items()
        }
        self.program = self._program()

    def run(self, replay: Runner) -> Arrays:
        """Take the steps from the start; return the parameters, the losses and the cursor after them."""
        for name, array in self._start.items():
            self._backend.from_host(array.astype(self._on[name].dtype), out=self._on[name])
        for times in DIVIDED:
            replay(times)
        return {name: self._backend.to_host(self._on[name]) for name in ("values", "losses", "cursor")}

    def error(self, found: Arrays) -> float:
        """Return the largest difference from NumPy, in the dtype's eps; infinite if one is not finite."""
        eps = float(np.finfo(self._backend.dtype).eps)
        worst = 0.0
        for name, expected in _expected(self._start).items():
            difference = np.abs(found[name] - expected) / np.maximum(1, np.abs(expected)) / eps
            worst = max(worst, float(np.max(np.where(np.isfinite(difference), difference, np.inf))))
        return worst

    def _program(self) -> Program:
        empty, on = self._backend.empty, self._on
        order, cursor, values, gradients = on["order"], on["cursor"], on["values"], on["gradients"]
        (w1, b1), (w2, b2) = _layers(values)
        (w1_gradient, b1_gradient), (w2_gradient, b2_gradient) = _layers(gradients)
        d, m, k = SIZES
        x, labels = empty((BATCH, d)), empty((BATCH,), INTEGER)
        hidden, delta = empty((BATCH, m)), empty((BATCH, m))
        logits, gradient = empty((BATCH, k)), empty((BATCH, k))
        losses = empty((BATCH,))
        calls = (
            Call("take_rows", (on["X"], order, cursor), {"out": x}),
            Call("take_rows", (on["labels"], order, cursor), {"out": labels}),
            Call("matmul", (x, w1), {"out": hidden}),
            Call("bias_activation", (hidden, b1, HIDDEN), {"out": hidden}),
            Call("matmul", (hidden, w2), {"out": logits}),
            Call("bias_activation", (logits, b2, IDENTITY), {"out": logits}),
            Call(
                "softmax_cross_entropy",
                (logits, labels, on["weights"]),
                {"losses": losses, "gradient": gradient},
            ),
            Call(
                "activation_backward",
                (gradient, logits, IDENTITY),
                {"out": gradient, "bias_gradient": b2_gradient},
            ),
            Call("matmul", (hidden.T, gradient), {"out": w2_gradient}),
            Call("matmul", (gradient, w2.T), {"out": delta}),
            Call(
                "activation_backward",
                (delta, hidden, HIDDEN),
                {"out": delta, "bias_gradient": b1_gradient},
            ),
            Call("matmul", (x.T, delta), {"out": w1_gradient}),
            Call(
                "update",
                (values, gradients, on["velocities"], on["settings"], UPDATE),
                {"decay_ranges": ()},
            ),
            Call("put_rows", (losses, cursor), {"out": on["losses"]}),
            Call("advance", (cursor, BATCH), {}),
        )
        return Program(calls, (x, labels, hidden, delta, logits, gradient, losses, gradients))


def _start() -> Arrays:
    """Return the arrays' values before the first step; floats are float32."""
    rng, rows = np.random.default_rng(0), BATCH * STEPS
    parameters = sum((d + 1) * m for d, m in pairwise(SIZES))
    values = np.concatenate(
        [part for d, m in pairwise(SIZES) for part in (rng.normal(0, d**-0.5, d * m), rng.normal(0, 0.1, m))]
    )
    floats = {
        "X": rng.uniform(size=(rows, SIZES[0])),
        "weights": np.full(BATCH, 1 / BATCH),
        "values": values,
        "gradients": np.zeros(parameters),
        "velocities": np.zeros((1, parameters)),
        "settings": np.array([LEARNING_RATE, MOMENTUM, 0.0]),
        "losses": np.zeros(rows),
    }
    whole = {
        "labels": rng.integers(0, SIZES[-1], rows),
        "order": rng.permutation(rows),
        "cursor": np.zeros(1, np.int64),
    }
    return {name: array.astype(np.float32) for name, array in floats.items()} | whole


def _layers(flat: Any) -> list[tuple[Any, Any]]:
    """Return the weights (d, m) and biases (m,) of each layer, as views of flat parameters."""
    layers, at = [], 0
    for d, m in pairwise(SIZES):
        layers.append((flat[at : at + d * m].reshape((d, m)), flat[at + d * m : at + (d + 1) * m]))
        at += (d + 1) * m
    return layers


def _expected(start: Arrays) -> Arrays:
    """Return the values after all steps, by the formulas of the step in float64."""
    X, values = (start[name].astype(np.float64) for name in ("X", "values"))
    learning_rate, momentum, _ = start["settings"].astype(np.float64)
    velocities, losses = np.zeros_like(values), np.empty(BATCH * STEPS)
    (w1, b1), (w2, b2) = _layers(values)
    for at in range(0, BATCH * STEPS, BATCH):
        rows = start["order"][at : at + BATCH]
        x, label = X[rows], np.eye(SIZES[-1])[start["labels"][rows]]
        hidden = 1 / (1 + np.exp(-(x @ w1 + b1)))
        powers = np.exp(hidden @ w2 + b2)
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        losses[at : at + BATCH] = -np.log((probabilities * label).sum(axis=1))
        gradient = (probabilities - label) / BATCH
        delta = gradient @ w2.T * hidden * (1 - hidden)
        parts = x.T @ delta, delta.sum(axis=0), hidden.T @ gradient, gradient.sum(axis=0)
        velocities = momentum * velocities - learning_rate * np.concatenate([part.ravel() for part in parts])
        values += velocities
    return {"values": values, "losses": losses, "cursor": np.array([BATCH * STEPS])}
