"""What everyone trains: the same rows, targets, batches, starting weights and settings, from one seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .design import Design
from .networks import Case

LEARNING_RATE = 0.01
MOMENTUM = 0.9
"""v = 0.9 v - 0.01 g, w = w + v. Small enough that the hundred thousand steps of a measurement end nowhere
extreme (no denormals, no overflow); large enough for the gate to tell a wrong one: see `gate.py`."""

SCAN = 64
"""Steps in one call for implementations that loop on the device: 16 are not JAX's best form (2-8-1: 8.0 us a
step with 16, 3.9 with 64)."""

FIT_EPOCHS = 10
"""Epochs in one call of those who are asked to fit; SCAN times as many where an epoch is one step."""

FIT_ROWS = 4096
"""Rows of an epoch that is fitted, at least: with 2-8-1 those are 1024 steps. The bare step has no epochs."""


@dataclass(frozen=True)
class Scale:
    """How much work one call may hold on a kind of device.

    data_bytes: of all rows. scan_flops: of SCAN steps in one call, half a second or so; more measures nothing
    that fewer steps would not. fit_flops: those at which fewer than FIT_EPOCHS will do: nobody calls `fit`
    for one epoch, but for a few that each take a second what comes before the first no longer shows.
    gate_flops: up to which the gate trains 8 steps in float64 on a CPU, rather than 2.
    """

    data_bytes: int
    scan_flops: float
    fit_flops: float
    gate_flops: float = 1e12


SCALES = {
    "cpu": Scale(32 << 20, 1e11, 5e10),
    "cuda": Scale(128 << 20, 2.5e13, 1e13),
    "minute": Scale(8 << 20, 1e10, 1e10, 1e10),
}
"""For 200 GFLOP/s and for 50 TFLOP/s; and for a minute in which all devices take the same steps."""


@dataclass(frozen=True)
class Problem:
    """N rows and a network to train on them in minibatches.

    X (N, d) float32, labels (N,) int64 classes (0 or 1 where the network has one output); order (N,): batch k
    is order[k n : (k + 1) n], and after the last batch comes the first again; weights: (d, m) and (m,) of
    each layer, float32; shuffle: whether loops over whole epochs draw a new order for each; scale: how much
    one call may hold where it is measured; design: activations and loss where they are not everyone's, and
    labels are then the targets that its loss takes.
    """

    case: Case
    activation: str
    X: np.ndarray
    labels: np.ndarray
    order: np.ndarray
    weights: list[tuple[np.ndarray, np.ndarray]]
    shuffle: bool = True
    scale: Scale = SCALES["cpu"]
    design: Design | None = None

    @property
    def batches(self) -> int:
        """Batches in an epoch, all of them full."""
        return len(self.X) // self.case.batch

    @property
    def fit_epochs(self) -> int:
        """Epochs that one call of `fit` is timed with."""
        most = int(self.scale.fit_flops / (self.batches * self.case.step_flops))
        return max(1, min(FIT_EPOCHS if self.batches > 1 else FIT_EPOCHS * SCAN, most))

    @property
    def binary(self) -> bool:
        """One sigmoid output, rather than a softmax over classes."""
        return self.case.sizes[-1] == 1

    @property
    def targets(self) -> np.ndarray:
        """Values (N, 1) in float32 where there is one output, else the labels (N,); those of a design."""
        if self.design is not None:
            return self.labels
        return self.labels[:, None].astype(np.float32) if self.binary else self.labels

    @property
    def order_of_scan(self) -> np.ndarray:
        """Row numbers (SCAN, n) of the next SCAN batches from the start of an epoch."""
        epoch = self.order.reshape(self.batches, self.case.batch)
        return np.tile(epoch, (SCAN // self.batches, 1))


def scans(problem: Problem) -> bool:
    """Whether SCAN steps are short enough to be timed as one call."""
    return SCAN * problem.case.step_flops <= problem.scale.scan_flops


def batches_of(case: Case, scale: Scale, *, fitted: bool = False) -> int:
    """Batches in an epoch: a power of two up to SCAN, as many as the scale allows; at least 2.

    An epoch that is `fitted` has FIT_ROWS at least. What the case itself says goes before.
    """
    if case.batches is not None:
        return case.batches
    batch_bytes = 4 * case.sizes[0] * case.batch
    batches = SCAN
    while batches > 2 and (
        batches * batch_bytes > scale.data_bytes or batches * case.step_flops > scale.scan_flops
    ):
        batches //= 2
    return max(batches, -(-FIT_ROWS // case.batch)) if fitted else batches


def scale_of(device: str) -> Scale:
    """Return how much work one call may hold on a device such as "cuda:1", or on what is named here."""
    return SCALES.get(device.partition(":")[0], SCALES["cpu"])


def make_problem(
    case: Case,
    activation: str,
    *,
    fitted: bool = False,
    device: str = "cpu",
    design: Design | None = None,
) -> Problem:
    """Draw a problem for a device; `fitted` is for loops over whole epochs that are timed (`batches_of`)."""
    rng, scale = np.random.default_rng(0), scale_of(device)
    batches = batches_of(case, scale, fitted=fitted)
    rows, (inputs, outputs) = batches * case.batch, (case.sizes[0], case.sizes[-1])
    X = rng.standard_normal((rows, inputs), dtype=np.float32)
    labels = rng.integers(0, max(2, outputs), rows) if design is None else design.targets(rng, rows, outputs)
    order = rng.permutation(rows)
    names = [activation] * len(case.shapes) if design is None else [f.name for f in design.activations]
    weights = [_start(rng, name, d, m) for name, (d, m) in zip(names, case.shapes, strict=True)]
    return Problem(case, activation, X, labels, order, weights, scale=scale, design=design)


def in_order(problem: Problem) -> Problem:
    """Return the problem with its rows taken as they stand, and never shuffled; the arrays are shared."""
    return replace(problem, order=np.arange(len(problem.X)), shuffle=False)


def _start(rng: np.random.Generator, activation: str, d: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """N(0, 2/d) for relu, N(0, 2/(d + m)) otherwise; biases of 0.01, so that a forgotten bias shows."""
    deviation = np.sqrt(2 / (d if activation == "relu" else d + m))
    weights = rng.standard_normal((d, m), dtype=np.float32) * np.float32(deviation)
    return weights, np.full(m, 0.01, np.float32)
