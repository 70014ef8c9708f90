"""JAX: a jitted step with donated buffers, and a scan over 64 steps in one call."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

# On a GPU JAX takes three quarters of its memory when it starts; the others need some too. Not by a fraction:
# its variable has two names by now, and JAX refuses both together.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import numpy as np

from ..device import Stopwatch
from ..problem import LEARNING_RATE, MOMENTUM, SCAN, Problem, scans
from . import Form, Running

NAME, MODULE, DISTRIBUTIONS = "JAX", "jax", ("jax",)

jax.config.update("jax_default_matmul_precision", "highest")  # strict float32, on a GPU too


def forms(device: str) -> list[Form]:
    """Return the jitted step, the scan, and a loop over epochs of jitted steps."""
    platform, _, number = device.partition(":")
    if platform == "cpu":
        jax.config.update("jax_platforms", platform)
    here = jax.devices(platform)[int(number or 0)]  # raises where there is none
    jax.config.update("jax_default_device", here)
    return [
        Form("JAX jit", "step", _jit, note="donated buffers"),
        Form(
            "JAX scan",
            "step",
            _scan,
            fits=lambda problem: None if scans(problem) else "64 steps take too long for one call",
            note=f"lax.scan over {SCAN} steps in one call",
        ),
        Form("JAX", "fit", _fit, note="jitted step in a loop"),
    ]


class Training:
    """Data on the device, weights and velocities, and the step as a pure function."""

    def __init__(self, problem: Problem) -> None:
        self.activation = jax.nn.sigmoid if problem.activation == "sigmoid" else jax.nn.relu
        self.binary = problem.binary
        self.X, self.targets = jnp.asarray(problem.X), jnp.asarray(problem.targets.astype(self._kind()))
        weights = [(jnp.asarray(w), jnp.asarray(b)) for w, b in problem.weights]
        self.state = (weights, jax.tree.map(jnp.zeros_like, weights))
        self.losses: Any = None

    def _kind(self) -> Any:
        return np.float32 if self.binary else np.int32

    def loss(self, weights: Any, x: Any, t: Any) -> Any:
        """Mean cross-entropy of a batch."""
        for i, (w, b) in enumerate(weights, 1):
            x = x @ w + b
            x = self.activation(x) if i < len(weights) else x
        if self.binary:
            return (jnp.logaddexp(0.0, x) - t * x).mean()
        return -jnp.take_along_axis(jax.nn.log_softmax(x), t[:, None], 1).mean()

    def step(self, state: Any, X: Any, targets: Any, rows: Any) -> Any:
        """Return the next state and the loss of the batch."""
        weights, velocities = state
        loss, gradients = jax.value_and_grad(self.loss)(weights, X[rows], targets[rows])
        velocities = jax.tree.map(lambda v, g: MOMENTUM * v - LEARNING_RATE * g, velocities, gradients)
        return (jax.tree.map(jnp.add, weights, velocities), velocities), loss

    def weights(self) -> list[tuple[Any, Any]]:
        """Return host arrays."""
        return [(np.asarray(w), np.asarray(b)) for w, b in self.state[0]]

    def wait(self) -> None:
        """Wait for the device."""
        jax.block_until_ready((self.state, self.losses))

    def running(self, enqueue: Callable[[int], None], unit: int = 1) -> Running:
        """Return what takes steps and waits; JAX has no marks on the device: only the host's time is told."""

        def run(steps: int) -> None:
            enqueue(steps)
            self.wait()

        watch = None if jax.default_backend() == "cpu" else Stopwatch(self.wait)
        return Running(run, self.weights, unit, enqueue, watch)


def _jit(problem: Problem) -> Running:
    training = Training(problem)
    step = jax.jit(training.step, donate_argnums=0)
    batches = list(jnp.asarray(problem.order.astype(np.int32)).reshape(problem.batches, problem.case.batch))
    taken = 0

    def enqueue(steps: int) -> None:
        nonlocal taken
        for k in range(taken, taken + steps):
            rows = batches[k % len(batches)]
            training.state, training.losses = step(training.state, training.X, training.targets, rows)
        taken += steps

    return training.running(enqueue)


def _scan(problem: Problem) -> Running:
    training = Training(problem)
    order = jnp.asarray(problem.order_of_scan.astype(np.int32))

    def steps_of(state: Any, X: Any, targets: Any) -> Any:
        return jax.lax.scan(lambda s, rows: training.step(s, X, targets, rows), state, order)

    scan = jax.jit(steps_of, donate_argnums=0)

    def enqueue(steps: int) -> None:
        for _ in range(steps // SCAN):
            training.state, training.losses = scan(training.state, training.X, training.targets)

    return training.running(enqueue, SCAN)


def _fit(problem: Problem) -> Running:
    training, rng = Training(problem), np.random.default_rng(0)
    step = jax.jit(training.step, donate_argnums=0)

    def run(steps: int) -> None:
        for _ in range(steps // problem.batches):
            order = rng.permutation(len(problem.X)) if problem.shuffle else problem.order
            losses = []
            for rows in order.astype(np.int32).reshape(problem.batches, problem.case.batch):
                training.state, loss = step(training.state, training.X, training.targets, rows)
                losses.append(loss)
            float(sum(jax.device_get(losses))) / problem.batches

    return Running(run, training.weights, problem.batches)
