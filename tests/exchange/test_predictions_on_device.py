"""Predictions that stay where they are computed, for other libraries to read through DLPack."""

import gc

import numpy as np
import pytest

from fuseprop import Network, mlp
from fuseprop.backend.registry import load_backend

LOSSES = ["half_squared_error", "sigmoid_cross_entropy", "softmax_cross_entropy", "half_poisson_deviance"]


def network(loss="softmax_cross_entropy", dtype="float32", **options):
    return Network(mlp([3, 6, 4], "tanh"), loss, device="cpu", dtype=dtype, seed=0, **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
def test_they_are_those_of_predict(loss, dtype, rows):
    made = network(loss, dtype)
    array = np.from_dlpack(made.predict(rows, on_device=True))
    np.testing.assert_array_equal(array, made.predict(rows))
    assert array.dtype == dtype


def test_they_are_the_callers(rows):
    """They live on without the network, may be written to, and no later prediction changes them."""
    made = network()
    kept, expected = made.predict(rows, on_device=True), made.predict(rows)
    made.predict(2 * rows, on_device=True)
    made.predict(3 * rows)
    np.testing.assert_array_equal(kept, expected)
    view = np.from_dlpack(kept)
    assert np.shares_memory(view, kept)
    del made, kept
    gc.collect()
    np.testing.assert_array_equal(view, expected)


def test_pytorch_reads_and_writes_the_same_memory(rows):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed. Type: pip install torch")
    made = network()
    kept, expected = made.predict(rows, on_device=True), made.predict(rows)
    tensor = torch.from_dlpack(kept)
    assert tensor.data_ptr() == kept.ctypes.data
    tensor.mul_(2)
    np.testing.assert_array_equal(kept, 2 * expected)
    del made, kept
    gc.collect()
    np.testing.assert_array_equal(tensor.numpy(), 2 * expected)
    x = torch.from_numpy(rows)  # on the host: taken as any array
    np.testing.assert_array_equal(network().predict(x, on_device=True), expected)


def test_numbers_that_overflow_are_said(rows):
    made = network("half_squared_error")
    made.set_weights([(np.full((3, 6), 1e30), np.zeros(6)), (np.full((6, 4), 3e38), np.zeros(4))])
    with pytest.warns(RuntimeWarning, match="predictions are nan or inf"):
        made.predict(abs(rows), on_device=True)


def test_bad_rows_are_refused_as_ever(rows):
    made = network()
    for bad in (rows[:, :2], rows[0], [["a"] * 3], rows * np.nan):
        with pytest.raises((ValueError, TypeError)) as expected:
            made.predict(bad)
        with pytest.raises(type(expected.value)) as said:
            made.predict(bad, on_device=True)
        assert str(said.value) == str(expected.value)
    with pytest.raises(TypeError, match="on_device must be True or False"):
        made.predict(rows, on_device="cuda")


def test_arrays_that_do_not_speak_dlpack_are_named(rows, monkeypatch):
    made = network(backend=load_backend("cpu"))
    monkeypatch.setattr(made._predictor, "on_device", lambda rows: object(), raising=False)
    with pytest.raises(TypeError, match="arrays of the backend numpy do not speak DLPack"):
        made.predict(rows, on_device=True)
