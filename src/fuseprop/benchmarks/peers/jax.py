"""JAX: a jitted step with donated buffers, and a scan over 64 steps in one call."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
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
    """Data on the device, weights and velocities."""

    def __init__(self, problem: Problem) -> None:
        self.X, self.targets = jnp.asarray(problem.X), jnp.asarray(problem.targets.astype(_kind(problem)))
        weights = [(jnp.asarray(w), jnp.asarray(b)) for w, b in problem.weights]
        self.state = (weights, jax.tree.map(jnp.zeros_like, weights))
        self.losses: Any = None

    def take(self, run: Any, rows: Any) -> None:
        """Learn from these rows by what is jitted."""
        self.state, self.losses = run(self.state, self.X, self.targets, rows)

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


def _kind(problem: Problem) -> Any:
    return np.float32 if problem.binary else np.int32


@cache
def jitted(activation: str, *, binary: bool, scanned: bool = False) -> Any:
    """Return the step, or the scan over order (SCAN, n), as (state, X, targets, rows) -> (state, losses).

    Kept, for JAX compiles what it has not seen: so it does so once for all forms and trainings of a network.
    """
    hidden = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu}[activation]

    def loss(weights: Any, x: Any, t: Any) -> Any:
        for i, (w, b) in enumerate(weights, 1):
            x = x @ w + b
            x = hidden(x) if i < len(weights) else x
        if binary:
            return (jnp.logaddexp(0.0, x) - t * x).mean()
        return -jnp.take_along_axis(jax.nn.log_softmax(x), t[:, None], 1).mean()

    def step(state: Any, X: Any, targets: Any, rows: Any) -> Any:
        weights, velocities = state
        value, gradients = jax.value_and_grad(loss)(weights, X[rows], targets[rows])
        velocities = jax.tree.map(lambda v, g: MOMENTUM * v - LEARNING_RATE * g, velocities, gradients)
        return (jax.tree.map(jnp.add, weights, velocities), velocities), value

    def steps(state: Any, X: Any, targets: Any, order: Any) -> Any:
        return jax.lax.scan(lambda s, rows: step(s, X, targets, rows), state, order)

    return jax.jit(steps if scanned else step, donate_argnums=0)


def _jit(problem: Problem) -> Running:
    training, step = Training(problem), jitted(problem.activation, binary=problem.binary)
    batches = list(jnp.asarray(problem.order.astype(np.int32)).reshape(problem.batches, problem.case.batch))
    taken = 0

    def enqueue(steps: int) -> None:
        nonlocal taken
        for k in range(taken, taken + steps):
            training.take(step, batches[k % len(batches)])
        taken += steps

    return training.running(enqueue)


def _scan(problem: Problem) -> Running:
    training, scan = Training(problem), jitted(problem.activation, binary=problem.binary, scanned=True)
    order = jnp.asarray(problem.order_of_scan.astype(np.int32))

    def enqueue(steps: int) -> None:
        for _ in range(steps // SCAN):
            training.take(scan, order)

    return training.running(enqueue, SCAN)


def _fit(problem: Problem) -> Running:
    training, step = Training(problem), jitted(problem.activation, binary=problem.binary)
    rng = np.random.default_rng(0)

    def run(steps: int) -> None:
        for _ in range(steps // problem.batches):
            order = rng.permutation(len(problem.X)) if problem.shuffle else problem.order
            losses = []
            for rows in order.astype(np.int32).reshape(problem.batches, problem.case.batch):
                training.take(step, rows)
                losses.append(training.losses)
            float(sum(jax.device_get(losses))) / problem.batches

    return Running(run, training.weights, problem.batches)
