"""Eager, fused, captured and NumPy give the same training, by kernels on the host and on a GPU."""

from functools import partial

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import cupy
from fuseprop_cupy import CupyBackend
from host_device import HostRunBackend
from steps import CLASSIFICATION, REGRESSION, adam, traces, training

from fuseprop import MomentumSGD, Network, load_backend, mlp
from fuseprop.testing import assert_parity

MODES = ["eager", "fused", "captured"]
GPU = [
    pytest.param(("cupy", dtype), id=f"cupy-{dtype}", marks=pytest.mark.gpu)
    for dtype in ("float32", "float64")
]
on_a_gpu = pytest.mark.parametrize("backend", GPU, indirect=True)


def on(backend):
    """What makes a backend of each mode on the same GPU."""
    return partial(CupyBackend, backend.dtype.name, backend.device)


def check_steps(make, dtype, loss, options):
    """Each step of every mode from NumPy's bits, and what it leaves beside what NumPy's leaves."""
    reference = training(load_backend("cpu", dtype), 3, loss, rows=75, **options)
    expected_step = reference.backend.compile(reference.program(reference.batches[0]))
    made = [training(make(replay=mode), 3, loss, rows=75, **options) for mode in MODES]
    steps = [one.backend.compile(one.program(one.batches[0])) for one in made]
    for _ in range(9):
        for one in made:
            give_state(reference, one)
        expected_step(1)
        for one, step in zip(made, steps, strict=True):
            step(1)
            for ours, theirs in zip(traces(one), traces(reference), strict=True):
                assert_parity(ours, theirs, dtype)


def give_state(source, target):
    """Give one training the parameters and moments of another."""
    for ours, theirs in zip(state_of(target), state_of(source), strict=True):
        target.backend.from_host(source.backend.to_host(theirs), out=ours)


def state_of(made):
    return [made.stack.parameters.values, *made.optimizer.moments]


def digits(backend, rows, epochs, batch):
    """Train on handwritten digits; return the history and the final weights.

    Nothing else here needs scikit-learn, and a record needs this file.
    """
    needed = 'needs scikit-learn: pip install -e ".[sklearn]"'
    X, y = pytest.importorskip("sklearn.datasets", reason=needed).load_digits(return_X_y=True)
    network = Network(mlp([64, 32, 10], "sigmoid"), CLASSIFICATION, seed=0, backend=backend)
    optimizer = MomentumSGD(0.3, 0.6, weight_decay=1e-5)
    history = network.fit(
        X[:rows] / 16, y[:rows], optimizer, epochs=epochs, batch_size=batch, validation=0.25
    )
    return history, [array for pair in network.weights() for array in pair]


def check_digits(make, dtype, **sizes):
    """The same loss curve and accuracy as NumPy, and the same bits in a second run of each mode."""
    expected, _ = digits(load_backend("cpu", dtype), **sizes)
    tolerance = 1e-3 if dtype == "float32" else 1e-9
    for mode in MODES:
        (history, weights), (again, same) = (digits(make(replay=mode), **sizes) for _ in range(2))
        np.testing.assert_allclose(history.train_loss, expected.train_loss, rtol=tolerance)
        np.testing.assert_allclose(history.validation_loss, expected.validation_loss, rtol=tolerance)
        np.testing.assert_allclose(history.train_metric, expected.train_metric, atol=0.003)
        assert abs(history.validation_metric[-1] - expected.validation_metric[-1]) <= 0.005
        np.testing.assert_array_equal(again.train_loss, history.train_loss)
        for one, other in zip(weights, same, strict=True):
            np.testing.assert_array_equal(one, other)


STEPS = {
    "momentum": {},
    "adam": {"optimizer": adam, "weighted": True},
    "clipped": {"optimizer": lambda: MomentumSGD(0.1, 0.9, weight_decay=1e-3, clip_norm=0.05)},
    "dropout": {"dropout": 0.4},
}
LOSSES = [CLASSIFICATION, REGRESSION, "sigmoid_cross_entropy", "mean_absolute_error"]


@pytest.mark.parametrize("options", STEPS)
@pytest.mark.parametrize("loss", LOSSES[:2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_step_is_numpys(dtype, loss, options):
    check_steps(partial(HostRunBackend, dtype), dtype, loss, STEPS[options])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_digits_are_learned_alike(dtype):
    check_digits(partial(HostRunBackend, dtype), dtype, rows=100, epochs=2, batch=16)


@on_a_gpu
@pytest.mark.parametrize("options", STEPS)
@pytest.mark.parametrize("loss", LOSSES)
def test_each_step_is_numpys_on_a_gpu(backend, loss, options):
    check_steps(on(backend), backend.dtype.name, loss, STEPS[options])


@on_a_gpu
def test_digits_are_learned_alike_on_a_gpu(backend):
    check_digits(on(backend), backend.dtype.name, rows=None, epochs=20, batch=32)


@on_a_gpu
def test_steps_are_captured_on_a_gpu(backend):
    """Not by falling back: a change that breaks the capture fails here."""
    made = training(on(backend)(replay="captured"), 3, rows=75)
    replay = made.backend.compile(made.program(made.batches[0]))
    replay(4)
    replay(5)
    assert made.backend.not_captured is None
    np.testing.assert_array_equal(made.backend.to_host(made.state.cursor), [72])
    pool = cupy.get_default_memory_pool()  # all processes share what the GPU has free
    used = pool.used_bytes()
    made.send(np.arange(75))
    replay(9)
    made.backend.synchronize()
    assert pool.used_bytes() <= used
