"""The estimators through the CuPy backend's own code: what they learn, and rows that are on the device."""

import pickle

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')
pytest.importorskip("sklearn", reason='needs scikit-learn: pip install -e ".[sklearn]"')

from host_device import HostRunBackend

from fuseprop import MLPClassifier, MLPRegressor
from fuseprop.testing import assert_parity

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class OnDevice:
    """An array of another library on the device; the host cannot read it."""

    def __init__(self, backend, values):
        self.on_device = backend.from_host(values)
        self.shape, self.dtype = values.shape, values.dtype
        self.values = values
        self.copies = 0

    def __dlpack__(self, **options):
        raise BufferError("the host cannot read it")

    def __dlpack_device__(self):
        return (2, 0)

    def get(self):
        self.copies += 1
        return self.values


@pytest.fixture
def device(monkeypatch):
    """A device on which the estimators compute when they are told "cuda"."""
    from fuseprop.estimators import base, networks

    load = base.backend_on

    def found(name, dtype, **options):
        return HostRunBackend(dtype) if name == "cuda" else load(name, dtype, **options)

    for module in (base, networks):
        monkeypatch.setattr(module, "backend_on", found)


def test_the_next_epochs_order_is_drawn_ahead_with_the_same_results(device):
    """Also where training ends before that epoch."""
    X, y = rows()
    states, weights = [], []
    for where in ("cpu", "cuda"):
        model = MLPClassifier(**OPTIONS | {"max_iter": 9, "n_iter_no_change": 1, "tol": 10}, device=where)
        sample_weight = np.random.default_rng(1).uniform(0.5, 2, len(X))
        model.fit(X, y, sample_weight)
        assert model.n_iter_ < 9
        states.append(pickle.dumps(model._random_state.get_state(legacy=False)))
        weights.append(model.coefs_)
    assert states[0] == states[1]
    for cpus, cudas in zip(*weights, strict=True):
        assert_parity(cudas, cpus, np.dtype("float32"))


def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int) + (X[:, 2] > 1)


OPTIONS = {"hidden_layer_sizes": (6,), "max_iter": 3, "batch_size": 16, "random_state": 0}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"solver": "sgd"}, {"solver": "lbfgs"}, {"dropout": 0.3}], ids=str)
def test_the_device_learns_what_the_cpu_learns(device, options, dtype):
    X, y = rows()
    weights = np.linspace(0.5, 2, len(X))
    for Estimator, early in ((MLPClassifier, True), (MLPRegressor, False)):
        early = early and options.get("solver") != "lbfgs"
        ours, numpy = (
            Estimator(device=name, dtype=dtype, early_stopping=early, **OPTIONS, **options).fit(X, y, weights)
            for name in ("cuda", "cpu")
        )
        assert (ours.device_, numpy.device_) == ("cuda:0", "cpu")
        for found, expected in zip(
            ours.coefs_ + ours.intercepts_, numpy.coefs_ + numpy.intercepts_, strict=True
        ):
            assert type(found) is np.ndarray
            assert_parity(found, expected, dtype)
        predicted = (model.predict(X).astype(float) for model in (ours, numpy))
        assert_parity(*predicted, dtype)


def test_rows_on_the_device_stay_there(device):
    X, y = rows()
    there = OnDevice(HostRunBackend("float64"), X)
    model = MLPClassifier(device="cuda", **OPTIONS).fit(there, OnDevice(HostRunBackend("float64"), y))
    assert_parity(model.coefs_[0], MLPClassifier(**OPTIONS).fit(X, y).coefs_[0], "float64")
    np.testing.assert_array_equal(model.predict(there), model.predict(X))
    assert there.copies == 0
    MLPClassifier(device="cpu", **OPTIONS).fit(there, y)
    assert there.copies == 1


def test_rows_on_the_device_are_checked_there(device):
    X, y = rows()
    X[3, 1] = np.nan
    there = OnDevice(HostRunBackend("float64"), X)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        MLPClassifier(device="cuda", **OPTIONS).fit(there, y)
    model = MLPClassifier(device="cuda", **OPTIONS).fit(rows()[0], y)
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 4"):
        model.predict(OnDevice(HostRunBackend("float64"), X[:, :3]))
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        model.predict(OnDevice(HostRunBackend("float64"), X[:, 0]))
