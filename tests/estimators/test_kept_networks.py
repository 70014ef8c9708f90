"""Predictions by a network that is kept between calls are those of the estimator as it is now."""

import copy
import gc
import pickle
import threading
import warnings
import weakref

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import fuseprop
from fuseprop.backend import BackendUnavailable
from fuseprop.backend.registry import VARIABLE
from fuseprop.estimators import checking, networks

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(5)
X = RNG.normal(size=(60, 4))
Y = RNG.integers(0, 3, 60)
OPTIONS = {"hidden_layer_sizes": (7,), "max_iter": 3, "random_state": 0}


def fitted(**options):
    return fuseprop.MLPClassifier(**OPTIONS | options).fit(X, Y)


def unpickled(estimator):
    """The same estimator without anything that is kept beside it."""
    return pickle.loads(pickle.dumps(estimator))


def kept(estimator):
    return networks._IDLE.get(estimator, [])


def set_weight(estimator):
    estimator.coefs_[0][1, 2] += 3.0


def set_bias(estimator):
    estimator.intercepts_[1][:] = (5.0, 0.0, 0.0)


def replace_an_array(estimator):
    estimator.coefs_[1] = -estimator.coefs_[1]


def replace_the_lists(estimator):
    estimator.coefs_ = [2 * coef for coef in estimator.coefs_]
    estimator.intercepts_ = [1 + intercept for intercept in estimator.intercepts_]


def widen(estimator):
    a, b = estimator.coefs_
    estimator.coefs_ = [np.hstack([a, a]), np.vstack([b, b])]
    estimator.intercepts_[0] = np.hstack([estimator.intercepts_[0], estimator.intercepts_[0]])


def round_to_float32(estimator):
    for name in ("coefs_", "intercepts_"):
        setattr(estimator, name, [array.astype(np.float32) for array in getattr(estimator, name)])


CHANGES = {
    "a weight in place": set_weight,
    "a bias in place": set_bias,
    "an array replaced": replace_an_array,
    "the lists replaced": replace_the_lists,
    "other shapes": widen,
    "another dtype": round_to_float32,
    "set_params(activation)": lambda estimator: estimator.set_params(activation="tanh"),
    "a sequence of activations": lambda estimator: estimator.set_params(activation=["gelu"]),
    "fit anew": lambda estimator: estimator.set_params(random_state=1).fit(X, Y),
    "fit with other sizes": lambda estimator: estimator.set_params(hidden_layer_sizes=(3, 3)).fit(X, Y),
    "fit with other classes": lambda estimator: estimator.fit(X, Y > 0),
    "partial_fit": lambda estimator: estimator.partial_fit(X, Y),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen_by_the_next_call(change):
    estimator = fitted()
    before = estimator.predict_proba(X)
    change(estimator)
    after = estimator.predict_proba(X)
    assert not np.array_equal(after, before)
    np.testing.assert_array_equal(after, unpickled(estimator).predict_proba(X))
    np.testing.assert_array_equal(estimator.predict(X), unpickled(estimator).predict(X))


def test_an_activation_changed_within_its_list_is_seen():
    activation = ["relu"]
    estimator = fitted(activation=activation)
    before = estimator.predict_proba(X)
    activation[0] = "tanh"
    assert not np.array_equal(estimator.predict_proba(X), before)
    np.testing.assert_array_equal(estimator.predict_proba(X), unpickled(estimator).predict_proba(X))


def test_another_loss_of_a_regressor_is_seen():
    estimator = fuseprop.MLPRegressor(**OPTIONS).fit(X, X[:, 0])
    before = estimator.predict(X)
    np.testing.assert_allclose(estimator.set_params(loss="poisson").predict(X), np.exp(before))


def test_a_call_takes_the_network_of_the_one_before(monkeypatch):
    estimator = fitted()
    estimator.predict(X)
    [network] = kept(estimator)
    monkeypatch.setattr(networks.Architecture, "stack", None)
    estimator.coefs_[0][:] = 0.0
    assert len(np.unique(estimator.predict_proba(X), axis=0)) == 1
    [again] = kept(estimator)
    assert again is network


def test_a_device_that_there_is_not_is_refused_after_one_that_there_is(monkeypatch):
    estimator = fitted()
    estimator.predict(X)
    with pytest.raises(BackendUnavailable):
        estimator.set_params(device="nonsense").predict(X)
    estimator.set_params(device=None).predict(X)
    monkeypatch.setenv(VARIABLE, "nonsense")
    with pytest.raises(BackendUnavailable, match=VARIABLE):
        estimator.predict(X)


def test_a_wrong_parameter_is_refused_after_a_right_one():
    estimator = fitted()
    estimator.predict(X)
    with pytest.raises(ValueError, match="activation"):
        estimator.set_params(activation="nonsense").predict(X)
    with pytest.raises(ValueError, match="entries"):
        estimator.set_params(activation=["relu", "relu"]).predict(X)


def test_weights_that_were_taken_away_are_missed():
    estimator = fitted()
    estimator.predict(X)
    del estimator.coefs_
    with pytest.raises(NotFittedError):
        estimator.predict(X)


@pytest.mark.parametrize("make", [unpickled, copy.copy, copy.deepcopy], ids=lambda make: make.__name__)
def test_a_copy_keeps_no_network_and_predicts_the_same(make):
    estimator = fitted()
    before, state = pickle.dumps(estimator), dict(vars(estimator))
    expected = estimator.predict_proba(X)
    assert kept(estimator)
    assert pickle.dumps(estimator) == before
    assert vars(estimator) == state
    made = make(estimator)
    assert not kept(made)
    np.testing.assert_array_equal(made.predict_proba(X), expected)


def test_a_deep_copy_and_its_original_go_ways_of_their_own():
    estimator = fitted()
    expected = estimator.predict_proba(X)
    other = copy.deepcopy(estimator)
    other.coefs_[0][:] = 0.0
    assert not np.array_equal(other.predict_proba(X), expected)
    np.testing.assert_array_equal(estimator.predict_proba(X), expected)


def test_a_clone_is_not_fitted():
    estimator = fitted()
    estimator.predict(X)
    with pytest.raises(NotFittedError):
        clone(estimator).predict(X)


def test_a_loaded_model_predicts_as_the_one_that_was_saved(tmp_path):
    estimator = fitted()
    expected = estimator.predict_proba(X)
    estimator.save(tmp_path / "model")
    np.testing.assert_array_equal(fuseprop.MLPClassifier.load(tmp_path / "model").predict_proba(X), expected)


def test_a_call_that_fails_gives_back_no_network(monkeypatch):
    estimator = fitted()
    expected = estimator.predict_proba(X)

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(networks.Predictor, "__call__", fail)
        with pytest.raises(KeyboardInterrupt):
            estimator.predict_proba(X)
    assert not kept(estimator)
    np.testing.assert_array_equal(estimator.predict_proba(X), expected)


def test_a_network_goes_with_its_estimator():
    estimator = fitted()
    estimator.predict(X)
    [network] = kept(estimator)
    seen = weakref.ref(network.stack.parameters)
    del network, estimator
    gc.collect()
    assert seen() is None


class WithoutHash(fuseprop.MLPClassifier):
    """An estimator that is compared by its weights."""

    __hash__ = None

    def __eq__(self, other):
        return self is other


def test_an_estimator_without_a_hash_predicts():
    estimator = WithoutHash(**OPTIONS).fit(X, Y)
    np.testing.assert_array_equal(estimator.predict_proba(X), fitted().predict_proba(X))


def test_calls_at_once_have_networks_of_their_own():
    estimator = fitted()
    with networks.lent_network(estimator) as one:
        with networks.lent_network(estimator) as other:
            assert other is not one
            assert other.stack.parameters.values is not one.stack.parameters.values
        with networks.lent_network(estimator) as third:
            assert third is other
    assert len(kept(estimator)) == 2


def test_threads_that_predict_at_once_get_their_own_answers():
    estimator = fitted()
    count = 4
    parts = [X[i::count].copy() for i in range(count)]
    expected = [unpickled(estimator).predict_proba(part) for part in parts]
    wrong = []
    barrier = threading.Barrier(count)

    def predict(number):
        barrier.wait()
        for _ in range(50):
            if not np.array_equal(estimator.predict_proba(parts[number]), expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=predict, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert 1 <= len(kept(estimator)) <= count


# Rows that need no check

BAD = X.copy()
BAD[3, 1] = np.nan
INFINITE = X.copy()
INFINITE[0, 0] = np.inf

ROWS = {
    "plain": X,
    "one row": X[:1],
    "float32": X.astype(np.float32),
    "along columns": np.asfortranarray(X),
    "every other row": X[::2],
    "large numbers": np.full((2, 4), 1e308),
    "nan": BAD,
    "inf": INFINITE,
    "other byte order": X.astype(X.dtype.newbyteorder()),
    "whole numbers": X.astype(int),
    "float16": X.astype(np.float16),
    "complex": X.astype(complex),
    "objects": X.astype(object),
    "text": X.astype(str),
    "masked": np.ma.masked_less(X, 0),
    "a list": X[:3].tolist(),
    "no rows": X[:0],
    "no features": X[:, :0],
    "too few features": X[:, :3],
    "one axis": X[0],
    "three axes": X[None],
    "a number": np.float64(1.0),
    "none": None,
}


def outcome(estimator, rows):
    """What a prediction gives and says."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = estimator.predict_proba(rows)
        except (ValueError, TypeError) as error:
            return type(error), str(error)
    said = [(each.category, str(each.message)) for each in caught]
    return result.dtype, result.tobytes(), said


@pytest.mark.parametrize("names", [False, True], ids=["without names", "with names"])
@pytest.mark.parametrize("dtype", [None, "float32"])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_rows_that_need_no_check_change_nothing(rows, dtype, names, monkeypatch):
    estimator = fitted(dtype=dtype)
    if names:
        estimator.feature_names_in_ = np.array(["a", "b", "c", "d"], object)
    found = outcome(estimator, rows)
    monkeypatch.setattr(checking, "_passes", lambda *_: False)
    assert found == outcome(estimator, rows)


def test_plain_rows_are_not_checked_twice(monkeypatch):
    estimator = fitted()
    expected = estimator.predict_proba(X)
    monkeypatch.setattr(checking, "validate_data", None)
    np.testing.assert_array_equal(estimator.predict_proba(X), expected)
    estimator.feature_names_in_ = np.array(["a", "b", "c", "d"], object)
    with pytest.raises(TypeError, match="not callable"):
        estimator.predict_proba(X)


def no_shapes(model):
    model.coefs_[0] = model.coefs_[0][:-1]


def wider(model):
    model.coefs_[0] = np.hstack([model.coefs_[0], model.coefs_[0]])


def one_missing(model):
    model.intercepts_ = model.intercepts_[:-1]


def lists(model):
    model.coefs_ = [each.tolist() for each in model.coefs_]


def whole_numbers(model):
    model.coefs_ = [each.astype(int) for each in model.coefs_]


def of_two_dtypes(model):
    model.coefs_[0] = model.coefs_[0].astype(np.float32)


def a_bias_as_a_column(model):
    model.intercepts_[0] = model.intercepts_[0].reshape(-1, 1)


@pytest.mark.parametrize(
    "change",
    [no_shapes, wider, one_missing, lists, whole_numbers, of_two_dtypes, a_bias_as_a_column],
    ids=lambda change: change.__name__,
)
def test_coefficients_of_no_network_are_told(change):
    X = np.random.default_rng(0).normal(size=(30, 4))
    options = {"max_iter": 2, "random_state": 0, "tol": 10, "n_iter_no_change": 1}
    model = fuseprop.MLPClassifier((5,), **options).fit(X, X[:, 0] > 0)
    change(model)
    with pytest.raises(ValueError, match="coefs_ and intercepts_ are those of no network with 4 inputs"):
        model.predict(X)
