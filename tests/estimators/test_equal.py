"""Equal random_state: the same weights, losses, epochs and predictions as scikit-learn, to 1e-10."""

import numpy as np
import pytest
import sklearn.neural_network
from numpy.testing import assert_allclose
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression

import fuseprop

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
CURVES = ("loss_curve_", "loss_", "best_loss_", "validation_scores_", "best_validation_score_")
COUNTS = ("n_iter_", "t_", "n_layers_", "n_outputs_", "n_features_in_", "out_activation_")


def standardized(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def tasks():
    X, y = make_classification(230, 12, n_informative=6, n_classes=3, random_state=0)
    yield "multi-class", "MLPClassifier", X, 2 * y - 1
    yield "binary", "MLPClassifier", X, y > 0
    X, y = make_multilabel_classification(230, 12, n_classes=4, random_state=0)
    yield "multi-label", "MLPClassifier", standardized(X), y
    X, y = make_regression(230, 12, n_targets=3, noise=5.0, random_state=0)
    yield "one output", "MLPRegressor", X, y[:, 0] / 50
    yield "many outputs", "MLPRegressor", X, y / 50


TASKS = {name: rest for name, *rest in tasks()}
WEIGHTS = np.random.default_rng(3).uniform(0.1, 3.0, 230)

OPTIONS = {
    "adam": {},
    "adam without alpha": {"alpha": 0.0, "activation": "tanh"},
    "adam, deep": {"hidden_layer_sizes": (9, 7), "alpha": 0.1, "activation": "logistic", "batch_size": 64},
    "adam, no hidden layer": {"hidden_layer_sizes": (), "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6},
    "adam, early stopping": {"early_stopping": True, "n_iter_no_change": 4, "learning_rate_init": 0.02},
    "adam converges": {"tol": 0.02, "n_iter_no_change": 2, "learning_rate_init": 0.02},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "sgd without Nesterov": {"solver": "sgd", "nesterovs_momentum": False, "activation": "identity"},
    "sgd without momentum": {"solver": "sgd", "momentum": 0.0, "alpha": 0.0, "learning_rate_init": 0.1},
    "sgd, all of momentum": {"solver": "sgd", "momentum": 1.0, "learning_rate_init": 1e-3, "alpha": 0.5},
    "sgd, invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3, "shuffle": False},
    "sgd, adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "tol": 0.05,
        "n_iter_no_change": 2,
        "learning_rate_init": 0.1,
    },
    "sgd, early stopping": {
        "solver": "sgd",
        "early_stopping": True,
        "validation_fraction": 0.2,
        "shuffle": False,
        "learning_rate_init": 0.02,
        "batch_size": 30,
    },
}


def pair(task, **options):
    name, X, y = TASKS[task]
    options = {"max_iter": 15, "random_state": 7} | options
    theirs, ours = (getattr(module, name)(**options) for module in (sklearn.neural_network, fuseprop))
    return theirs, ours, X, y


def assert_equal(theirs, ours, X, **close):
    close = CLOSE | close
    for name in COUNTS:
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in CURVES:
        expected = getattr(theirs, name)
        if expected is None:
            assert getattr(ours, name) is None, name
        else:
            assert_allclose(getattr(ours, name), expected, **close, err_msg=name)
    for name in ("coefs_", "intercepts_"):
        for ours_of_layer, theirs_of_layer in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert ours_of_layer.dtype == theirs_of_layer.dtype
            assert_allclose(ours_of_layer, theirs_of_layer, **close, err_msg=name)
    if hasattr(theirs, "classes_"):
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), **close)
        assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), **close)
    else:
        assert ours.predict(X).shape == theirs.predict(X).shape
        assert_allclose(ours.predict(X), theirs.predict(X), **close)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("task", TASKS)
def test_fit(task, options, weighted):
    theirs, ours, X, y = pair(task, **OPTIONS[options])
    weights = WEIGHTS if weighted else None
    assert_equal(theirs.fit(X, y, weights), ours.fit(X, y, weights), X)
    assert ours.score(X, y, weights) == pytest.approx(theirs.score(X, y, weights), rel=1e-10)


@pytest.mark.parametrize("options", ["adam", "sgd, adaptive", "sgd, invscaling", "adam, early stopping"])
@pytest.mark.parametrize("task", TASKS)
def test_warm_start(task, options):
    theirs, ours, X, y = pair(task, **OPTIONS[options], warm_start=True)
    for seed in (7, 8, 9):
        for model in (theirs, ours):
            model.set_params(random_state=seed).fit(X, y)
        assert_equal(theirs, ours, X)


@pytest.mark.parametrize("options", ["adam", "sgd", "sgd, invscaling"])
@pytest.mark.parametrize("task", TASKS)
def test_partial_fit(task, options):
    theirs, ours, X, y = pair(task, **OPTIONS[options])
    classes = (
        {"classes": np.arange(4) if y.ndim > 1 else np.unique(y)} if hasattr(theirs, "predict_proba") else {}
    )
    for start in range(0, 200, 40):
        part = slice(start, start + 70)
        for model in (theirs, ours):
            model.partial_fit(X[part], y[part], WEIGHTS[part], **classes)
        classes = {}
    assert_equal(theirs, ours, X)


def test_partial_fit_goes_on_after_fit():
    theirs, ours, X, y = pair("multi-class")
    for model in (theirs, ours):
        model.fit(X, y).partial_fit(X, y).partial_fit(X, y)
    assert_equal(theirs, ours, X)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_poisson(solver):
    X, y = TASKS["one output"][1:]
    options = {"loss": "poisson", "solver": solver, "max_iter": 15, "random_state": 1}
    theirs = sklearn.neural_network.MLPRegressor(**options).fit(X, np.abs(y).round(), WEIGHTS)
    ours = fuseprop.MLPRegressor(**options).fit(X, np.abs(y).round(), WEIGHTS)
    assert_equal(theirs, ours, X)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("task", TASKS)
def test_lbfgs(task, weighted):
    """The order of parameters differs, and with it the last digits, which L-BFGS carries on."""
    theirs, ours, X, y = pair(task, solver="lbfgs", max_iter=8, hidden_layer_sizes=(6,), alpha=0.01)
    weights = WEIGHTS if weighted else None
    theirs.fit(X, y, weights)
    ours.fit(X, y, weights)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-8)
    for mine, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert_allclose(mine, other, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("sparse_format", ["csr", "csc"])
@pytest.mark.parametrize("options", ["adam", "sgd, early stopping"])
def test_sparse_rows_learn_as_dense_ones(options, sparse_format):
    theirs, ours, X, y = pair("multi-class", **OPTIONS[options])
    import scipy.sparse

    thin = np.where(np.abs(X) > 1, X, 0.0)
    matrix = scipy.sparse.csr_array(thin).asformat(sparse_format)
    assert_equal(theirs.fit(matrix, y), ours.fit(matrix, y), matrix)
    assert_allclose(ours.predict_proba(matrix), ours.predict_proba(thin), **CLOSE)


@pytest.mark.parametrize("task", ["multi-class", "binary", "multi-label"])
def test_probabilities_that_saturate(task):
    """The loss that is shown cuts them off at eps, output by output; near 1 they have few digits left."""
    theirs, ours, X, y = pair(task, solver="sgd", learning_rate_init=0.05, batch_size=20, alpha=0.0)
    y = y[np.random.default_rng(0).permutation(len(y))]
    assert_allclose(ours.fit(20 * X, y).loss_curve_, theirs.fit(20 * X, y).loss_curve_, rtol=1e-4)


def test_a_fit_that_explodes_says_so_as_scikit_learn_does():
    X, y = TASKS["one output"][1:]
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        fuseprop.MLPRegressor(solver="sgd", learning_rate_init=1e6, random_state=0).fit(X * 1e6, y)
