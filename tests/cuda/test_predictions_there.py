"""Predictions that stay in the device's memory, through the CuPy backend's own code."""

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import cupy
from host_device import HostDevice, HostRunBackend, on_host
from test_estimators import OnDevice

from fuseprop import Network, mlp


@pytest.fixture
def downloads(monkeypatch):
    """The sizes of arrays that came to the host."""
    sizes, download = [], HostDevice.download
    monkeypatch.setattr(
        HostDevice, "download", lambda self, array: (sizes.append(array.size), download(self, array))[1]
    )
    return sizes


@pytest.mark.parametrize("loss", ["half_squared_error", "softmax_cross_entropy"])
def test_predictions_stay_on_the_device(loss, downloads):
    rows = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    made = Network(mlp([3, 6, 4], "tanh"), loss, backend=HostRunBackend(), seed=0)
    expected = made.predict(rows)
    there = OnDevice(made.backend, rows)
    for given in (rows, there):
        downloads.clear()
        kept = made.predict(given, on_device=True)
        assert type(kept) is cupy.ndarray
        assert max(downloads) == 1  # whether they are finite
        made.predict(-rows)
        np.testing.assert_array_equal(on_host(kept), expected)
    assert there.copies == 0


def test_rows_on_the_device_are_checked():
    made = Network(mlp([3, 1]), "half_squared_error", backend=HostRunBackend(), seed=0)
    with pytest.raises(ValueError, match="X has 2 features, this network takes 3"):
        made.predict(OnDevice(made.backend, np.ones((4, 2), np.float32)), on_device=True)
    with pytest.raises(ValueError, match="contains NaN"):
        made.predict(OnDevice(made.backend, np.full((4, 3), np.nan, np.float32)), on_device=True)
    with pytest.raises(ValueError, match="Expected 2D array"):
        made.predict(OnDevice(made.backend, np.ones(3, np.float32)), on_device=True)
    with pytest.raises(TypeError):
        made.predict(OnDevice(made.backend, np.ones((4, 3), np.float32)))
