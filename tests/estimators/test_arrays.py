"""Any array in, the same kind out."""

import sys
import types

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse

from fuseprop import MLPClassifier, MLPRegressor
from fuseprop.backend.seam import OPTIONAL

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Foreign:
    """An array of a library that speaks DLPack and nothing else that NumPy would understand."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape = self.values.shape
        self.dtype = self.values.dtype

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


@pytest.fixture
def foreign(monkeypatch):
    """A module with the class and its `from_dlpack`, as other libraries have it."""
    module = types.ModuleType("foreign_arrays")
    module.from_dlpack = lambda array: Foreign(np.from_dlpack(array))
    monkeypatch.setitem(sys.modules, "foreign_arrays", module)
    monkeypatch.setattr(Foreign, "__module__", "foreign_arrays")
    return Foreign


def test_dlpack_in_and_out(foreign, classes, numbers):
    X, y = classes
    expected = MLPClassifier(max_iter=5, random_state=0).fit(X, y)
    model = MLPClassifier(max_iter=5, random_state=0).fit(foreign(X), y)
    np.testing.assert_array_equal(model.coefs_[0], expected.coefs_[0])
    probabilities = model.predict_proba(foreign(X))
    assert isinstance(probabilities, foreign)
    np.testing.assert_array_equal(probabilities.values, expected.predict_proba(X))
    assert isinstance(model.predict(foreign(X)), np.ndarray)  # text, which other libraries do not hold

    X, y = numbers
    weights = np.linspace(0.5, 1, len(X))
    model = MLPRegressor(max_iter=5, random_state=0).fit(foreign(X), foreign(y), foreign(weights))
    expected = MLPRegressor(max_iter=5, random_state=0).fit(X, y, weights)
    assert isinstance(model.predict(foreign(X)), foreign)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    assert model.score(foreign(X), foreign(y)) == expected.score(X, y)


def test_arrow(classes, numbers):
    """Its arrays are read as NumPy reads them: DLPack holds neither text nor gaps."""
    X, y = classes
    weights = np.linspace(0.5, 1, len(X))
    expected = MLPClassifier(max_iter=5, random_state=0).fit(X, y, weights)
    model = MLPClassifier(max_iter=5, random_state=0).fit(X, pa.array(y), pa.array(weights))
    np.testing.assert_array_equal(model.coefs_[0], expected.coefs_[0])
    assert model.score(X, pa.array(y), pa.array(weights)) == expected.score(X, y, weights)
    assert list(MLPClassifier().partial_fit(X, pa.array(y), classes=pa.array(["a", "b", "c"])).classes_)
    X, y = numbers[0], numbers[1][:, 0]
    model = MLPRegressor(max_iter=5, random_state=0).fit(X, pa.array(y))
    assert model.score(X, pa.array(y)) == model.score(X, y)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        model.fit(X, pa.array(np.where(y > 0, np.nan, y)))


def test_an_array_on_a_device_that_cannot_be_copied_names_the_remedy(classes):
    class Far(Foreign):
        def __dlpack__(self, **options):
            raise BufferError("it is on the far side")

        def __dlpack_device__(self):
            return (2, 0)

    with pytest.raises(TypeError, match=r"Far on a device cannot be copied .* device=\"cuda\""):
        MLPClassifier().fit(Far(classes[0]), classes[1])


@pytest.mark.parametrize("way", ["get", "cpu"])
def test_an_array_on_a_device_is_copied_where_the_estimator_is_elsewhere(classes, way):
    class Far(Foreign):
        def __dlpack_device__(self):
            return (2, 0)

    X, y = classes
    setattr(Far, way, lambda self: self.values if way == "get" else Foreign(self.values))
    model = MLPClassifier(max_iter=2, random_state=0).fit(Far(X), y)
    np.testing.assert_array_equal(
        model.coefs_[0], MLPClassifier(max_iter=2, random_state=0).fit(X, y).coefs_[0]
    )


def test_pandas_names_are_kept(classes):
    pd = pytest.importorskip("pandas", reason='needs pandas: pip install -e ".[test]"')
    X, y = classes
    frame = pd.DataFrame(X, columns=list("uvwxyz"))
    model = MLPClassifier(max_iter=5, random_state=0, early_stopping=True).fit(frame, pd.Series(y))
    assert list(model.feature_names_in_) == list("uvwxyz")
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[list("zyxwvu")])
    np.testing.assert_array_equal(model.predict(frame), model.predict(frame.set_axis(list("uvwxyz"), axis=1)))


def test_lists(classes):
    X, y = classes
    model = MLPClassifier(max_iter=5, random_state=0).fit(X.tolist(), y.tolist())
    np.testing.assert_array_equal(
        model.predict_proba(X.tolist()),
        MLPClassifier(max_iter=5, random_state=0).fit(X, y).predict_proba(X),
    )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows_are_never_made_dense_at_once(classes, solver, monkeypatch):
    X, y = classes
    matrix = scipy.sparse.csr_array(np.where(np.abs(X) > 1, X, 0))
    densest = []
    to_array = scipy.sparse.csr_array.toarray
    monkeypatch.setattr(
        scipy.sparse.csr_array,
        "toarray",
        lambda self, *args: densest.append(self.shape[0]) or to_array(self, *args),
    )
    monkeypatch.setitem(OPTIONAL, "chunk_bytes", 40 * 200)
    model = MLPClassifier(
        solver=solver, batch_size=20, max_iter=3, early_stopping=solver == "adam", random_state=0
    )
    model.fit(matrix, y).predict(matrix)
    assert densest
    assert max(densest) <= 40


def test_inputs_are_left_as_they_are(classes):
    X, y = classes
    weights = np.ones(len(X))
    for array in (X, y, weights):
        array.flags.writeable = False
    MLPClassifier(max_iter=3, early_stopping=True).fit(X, y, weights)
    before = X.copy()
    MLPClassifier(max_iter=3, solver="sgd", class_weight="balanced").fit(X, y, weights).predict(X)
    np.testing.assert_array_equal(X, before)


def test_rows_are_not_copied_where_the_backend_can_read_them():
    from fuseprop.backend.registry import load_backend
    from fuseprop.training.features import Features

    X = np.ones((5, 3), np.float32)
    assert np.shares_memory(Features(load_backend("cpu", "float32"), X, shares=True).x, X)
    assert not np.shares_memory(Features(load_backend("cpu", "float64"), X, shares=True).x, X)
    assert not np.shares_memory(Features(load_backend("cpu", "float32"), X, shares=False).x, X)
