"""A training step allocates nothing: what Python itself needs for views and numbers stays under 8 KiB."""

import tracemalloc
from functools import partial

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend

from fuseprop import Adam, MomentumSGD, Network, mlp
from fuseprop.backend import BackendUnavailable
from fuseprop.checks.arrays import as_rows
from fuseprop.formulas import LOSSES as EVERY_LOSS
from fuseprop.formulas.activation import trainable_activations
from fuseprop.layers.targets import encode_targets
from fuseprop.training.epoch import Epoch
from fuseprop.training.rows import Rows
from fuseprop.training.step import training_step

pytestmark = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.3.0",
    reason="NumPy before 2.3 allocates a buffer in every reduction along the last axis",
)

LIMIT = 8 * 1024
LOSSES = [
    "half_squared_error",
    "mean_squared_error",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "mean_absolute_error",
    "half_poisson_deviance",
]
WAYS = ["eager", "calls", "compiled"]
"""The step called through the layers, and replayed."""

NESTEROV = partial(MomentumSGD, nesterov=True)
SHAPES = {
    "2-8-1 batch 4": ([2, 8, 1], 4),
    "64-32-10 batch 32": ([64, 32, 10], 32),
    "784-512-512-10 batch 1024": ([784, 512, 512, 10], 1024),
    "5-300-400 batch 3000": ([5, 300, 400], 3000),
}


def peak_of_a_step(
    sizes, rows, loss, activation, dtype, weighted, replay=WAYS[0], rule=NESTEROV, dropout=0.0
):
    rng = np.random.default_rng(0)
    try:
        backend = NumpyBackend(dtype, replay=replay)
    except BackendUnavailable as why:
        pytest.skip(str(why))
    layers = mlp(sizes, activation, dropout=dropout)
    network = Network(layers, loss, seed=0, backend=backend)
    X = rng.normal(size=(2 * rows, sizes[0])).astype(dtype)
    target = rng.uniform(size=(2 * rows, sizes[-1])).astype(dtype)
    if loss == "softmax_cross_entropy":
        target = rng.integers(0, sizes[-1], 2 * rows)
    weights = np.ones(2 * rows) if weighted else None
    data = Rows(as_rows(X), encode_targets(target, network.stack.loss, layers[-1], 2 * rows), weights)
    optimizer = rule(0.01, 0.6, weight_decay=1e-4, clip_norm=0.1)
    training = Epoch(backend, network.stack, None, optimizer, data, batch_size=rows)
    optimizer.prepare(network.stack.parameters, 2)
    training.send(np.arange(2 * rows))

    def step():
        training_step(
            backend,
            network.stack,
            training.metric,
            optimizer,
            training.examples,
            training.state,
            training.batches[0],
        )

    if replay != WAYS[0]:
        step = partial(backend.compile(training.program(training.batches[0])), 1)
        training.send(np.arange(2 * rows))
    step()  # scratch grows to its size once
    peaks = []
    for _ in range(3):  # the least of them, since other threads of the process may allocate meanwhile
        optimizer.prepare(network.stack.parameters, 2)
        training.send(np.arange(2 * rows))
        peaks.append(peak_of(step))
    return min(peaks)


def peak_of(step):
    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.pairs
@pytest.mark.parametrize("replay", WAYS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", SHAPES)
def test_peak_of_a_step(shape, loss, dtype, replay):
    sizes, rows = SHAPES[shape]
    if loss == "softmax_cross_entropy" and sizes[-1] == 1:
        sizes = [*sizes[:-1], 2]
    assert peak_of_a_step(sizes, rows, loss, "sigmoid", dtype, weighted=False, replay=replay) < LIMIT


@pytest.mark.parametrize("replay", WAYS)
@pytest.mark.parametrize("activation", ["identity", "tanh", "relu"])
def test_peak_with_other_activations_and_weights(activation, replay):
    peak = peak_of_a_step([64, 300, 40], 3000, LOSSES[2], activation, "float32", weighted=True, replay=replay)
    assert peak < LIMIT


@pytest.mark.parametrize("replay", WAYS)
@pytest.mark.parametrize("activation", trainable_activations())
def test_peak_with_every_activation(activation, replay):
    arguments = [64, 60, 10], 512, LOSSES[0], activation, "float32"
    assert peak_of_a_step(*arguments, weighted=True, replay=replay) < LIMIT


@pytest.mark.parametrize("replay", WAYS)
@pytest.mark.parametrize("loss", sorted(EVERY_LOSS.keys() - set(LOSSES)))
@pytest.mark.parametrize("outputs", [1, 20])
def test_peak_with_every_loss(outputs, loss, replay):
    arguments = [64, 60, outputs], 3000, loss, "tanh", "float32"
    assert peak_of_a_step(*arguments, weighted=False, replay=replay) < LIMIT


@pytest.mark.parametrize("replay", WAYS)
@pytest.mark.parametrize(("rule", "dropout"), [(MomentumSGD, 0.0), (Adam, 0.0), (Adam, 0.5)])
def test_peak_with_other_rules_and_dropout(rule, dropout, replay):
    arguments = [784, 300, 200, 10], 256, LOSSES[3], "relu", "float32", True, replay
    assert peak_of_a_step(*arguments, rule=rule, dropout=dropout) < LIMIT


def test_the_measurement_sees_an_allocation(monkeypatch):
    """The check can fail: one temporary of a batch's size is above the limit."""

    def with_a_temporary(self, gradient, output, activation, *, out, bias_gradient):
        np.copyto(out, gradient * output * (1 - output))
        np.sum(out, axis=0, out=bias_gradient)

    monkeypatch.setattr(NumpyBackend, "activation_backward", with_a_temporary)
    assert peak_of_a_step([64, 32, 10], 128, LOSSES[0], "sigmoid", "float32", weighted=False) > LIMIT
