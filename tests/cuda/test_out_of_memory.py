"""Training that does not fit: the batch that would is named, nothing is kept, and the network goes on."""

import re

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import cupy
from fuseprop_cupy.replay.plan import plan
from host_device import HostRunBackend

from fuseprop import EarlyStopping, MLPClassifier, Network, mlp
from fuseprop.backend import OutOfMemory
from fuseprop.backend.recording import record
from fuseprop.training.changed import SettingChanged

ROWS, FEATURES = 4096, 10
MIB = 2**20


def problem():
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, FEATURES)), rng.integers(0, 3, ROWS)


@pytest.fixture
def network():
    """A network on a device where its data fit, and batches of all rows do not."""
    network = Network(
        mlp([FEATURES, 60, 40, 3], dropout=0.1), "softmax_cross_entropy", seed=0, backend=HostRunBackend()
    )
    network.backend._device.limit = 2 * MIB
    return network


def fit(network, batch_size, **options):
    return network.fit(*problem(), epochs=1, batch_size=batch_size, **options)


def named(error):
    return int(re.search(r"batch_size=(\d+) would fit", str(error))[1])


@pytest.mark.parametrize("validation", [None, 0.2])
def test_the_batch_that_is_named_fits_and_a_quarter_more_does_not(network, validation):
    with pytest.raises(OutOfMemory, match=r"no room for batch_size=\d+: at [\d,]+ bytes a row") as raised:
        fit(network, ROWS, validation=validation)
    size = named(raised.value)
    assert 100 < size < ROWS
    with pytest.raises(OutOfMemory):
        fit(network, size * 5 // 4, validation=validation)
    history = fit(network, size, validation=validation)
    assert np.isfinite(history.train_loss).all()


def test_nothing_is_kept_although_the_error_is(network):
    """An interactive session keeps the last exception, and with it every variable on its way."""
    device, before = network.backend._device, network.weights()
    free = device.memory()[0]
    with pytest.raises(OutOfMemory) as kept:
        fit(network, ROWS)
    assert device.memory()[0] == free
    for (w, b), (kept_w, kept_b) in zip(network.weights(), before, strict=True):
        np.testing.assert_array_equal(w, kept_w)
        np.testing.assert_array_equal(b, kept_b)
    fit(network, named(kept.value))


def test_memory_that_runs_out_in_a_step_is_given_back_too(network, monkeypatch):
    """Partial sums and the like are allocated in the first step; early stopping restores on the way out."""
    device, before = network.backend._device, network.weights()
    free = device.memory()[0]
    monkeypatch.setattr(device, "run", lambda *launch: network.backend.empty((MIB,)))
    with pytest.raises(OutOfMemory) as kept:
        fit(network, 64, callbacks=[EarlyStopping(3)])
    assert device.memory()[0] == free
    assert "MiB are free" in str(kept.value)
    np.testing.assert_array_equal(network.weights()[0][0], before[0][0])
    monkeypatch.undo()
    fit(network, 64)


def test_memory_that_runs_out_while_a_step_is_planned_is_told_alike(network):
    backend = network.backend
    sums = [backend.zeros(shape) for shape in ((2000, 8), (2000, 8), (2000, 8), (8,))]
    gradient, output, out, bias_gradient = sums

    def step(backend):
        backend.activation_backward(gradient, output, "tanh", out=out, bias_gradient=bias_gradient)

    program = record(backend, step)
    backend._device.limit -= backend._device.memory()[0]
    with pytest.raises(OutOfMemory, match=r"0\.0 of .* MiB are free"):
        plan(backend, program)


def test_so_is_memory_that_runs_out_for_sums_that_the_update_finishes(network, monkeypatch):
    """Their room is the last that a step's plan asks for."""
    device = network.backend._device
    empty = device.empty

    def full(shape, dtype):
        if dtype == np.int64 and shape[1:] == (4,):
            raise cupy.cuda.memory.OutOfMemoryError(32, 0, 0)
        return empty(shape, dtype)

    monkeypatch.setattr(device, "empty", full)
    with pytest.raises(OutOfMemory, match=r"no room for an array of \(\d, 4\) int64"):
        fit(network, 512)


def test_where_not_even_a_row_fits_no_batch_is_named(network):
    device = network.backend._device
    with pytest.raises(OutOfMemory) as raised:
        fit(network, ROWS)
    device.limit -= device.memory()[0] - 1000  # less than the rows themselves take
    with pytest.raises(OutOfMemory, match="no room for an array") as raised:
        fit(network, 64)
    assert "would fit" not in str(raised.value)


def test_estimators_name_it_too(monkeypatch):
    backend = HostRunBackend()
    monkeypatch.setattr("fuseprop.estimators.base.backend_on", lambda *_, **__: backend)
    backend._device.limit = 3 * MIB
    estimator = MLPClassifier((60, 40), max_iter=1, batch_size=ROWS, random_state=0)
    with pytest.raises(OutOfMemory) as raised:
        estimator.fit(*problem())
    estimator.set_params(batch_size=named(raised.value))
    with pytest.warns(match="maximum iterations|Maximum iterations|max_iter"):
        estimator.fit(*problem())
    assert estimator.n_iter_ == 1


def test_half_the_batch_is_taken_instead(network):
    with pytest.warns(SettingChanged, match=f"^cuda:0 has no room for batch_size={ROWS}: .*=1024 instead"):
        history = fit(network, ROWS, on_oom="halve")
    assert history.batch_size == 1024
    assert np.isfinite(history.train_loss).all()


def test_predictions_go_on_in_smaller_chunks(network):
    """All memory is free again when they are made; less than a chunk's was."""
    device, (X, labels) = network.backend._device, problem()
    device.limit = 16 * MIB
    expected, scores = network.predict(X), network.evaluate(X, labels)
    network._predictor._forward._own.buffers = None
    device.release()
    device.limit -= device.memory()[0] - 100_000
    np.testing.assert_allclose(network.predict(X), expected, rtol=1e-5, atol=1e-7)
    network._predictor._forward._own.buffers = None
    assert network.evaluate(X, labels) == pytest.approx(scores, rel=1e-5)
    device.release()
    assert device.memory()[0] == 100_000
