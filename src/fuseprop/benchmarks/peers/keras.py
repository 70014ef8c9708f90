"""Keras 3 on JAX, its fastest backend on a CPU: `fit`, and `train_on_batch` for the bare step."""

from __future__ import annotations

import os
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import keras

from ..problem import LEARNING_RATE, MOMENTUM, Problem
from . import Form, Running

NAME, MODULE, DISTRIBUTIONS = "Keras", "keras", ("keras", "jax")

MOST_STEPS = 2048
"""In one call of `fit`, but for one epoch: what comes before the first no longer shows, and ten epochs of a
thousand steps would take seconds."""


def forms(device: str) -> list[Form]:
    """Return a step and `fit`; only on the CPU."""
    if device != "cpu":
        return []
    return [
        Form("Keras", "step", _step, note="train_on_batch, JAX backend"),
        Form("Keras", "fit", _fit, note="JAX backend"),
    ]


def _model(problem: Problem) -> Any:
    keras.backend.clear_session()
    *hidden, last = problem.case.sizes[1:]
    model = keras.Sequential(
        [
            keras.layers.Input((problem.case.sizes[0],)),
            *(keras.layers.Dense(m, activation=problem.activation) for m in hidden),
            keras.layers.Dense(last),
        ]
    )
    losses = keras.losses
    loss = losses.BinaryCrossentropy if problem.binary else losses.SparseCategoricalCrossentropy
    model.compile(keras.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM), loss(from_logits=True))
    for layer, (w, b) in zip(model.layers, problem.weights, strict=True):
        layer.set_weights([w, b])
    return model


def _weights(model: Any) -> list[tuple[Any, Any]]:
    return [tuple(layer.get_weights()) for layer in model.layers]


def _step(problem: Problem) -> Running:
    model, n, targets = _model(problem), problem.case.batch, problem.targets
    taken = 0

    def run(steps: int) -> None:
        nonlocal taken
        for _ in range(steps):
            k = taken % problem.batches
            rows = problem.order[k * n : (k + 1) * n]
            model.train_on_batch(problem.X[rows], targets[rows])  # returns the loss: waits for the device
            taken += 1

    return Running(run, lambda: _weights(model))


def _fit(problem: Problem) -> Running:
    model, targets = _model(problem), problem.targets
    epochs = min(problem.fit_epochs, max(1, MOST_STEPS // problem.batches))

    def run(steps: int) -> None:
        model.fit(
            problem.X,
            targets,
            batch_size=problem.case.batch,
            epochs=steps // problem.batches,
            shuffle=problem.shuffle,
            verbose=0,
        )

    return Running(run, lambda: _weights(model), epochs * problem.batches)
