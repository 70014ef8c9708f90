"""Training that diverges: an error of scikit-learn's, or a warning, but no weights that are not finite."""

import warnings
from itertools import product

import numpy as np
import pytest
import sklearn.neural_network
from sklearn.exceptions import ConvergenceWarning

import fuseprop
from fuseprop import EarlyStopping, MLPClassifier, MLPRegressor
from fuseprop.callbacks import OnEpochEnd

WORDS = (
    r"^Solver produced non-finite parameter weights\. The input data may contain large values and need to be "
    r"preprocessed\.$"
)
GRID = list(product((np.float32, np.float64), ("sgd", "adam"), (1e3, 1e6), (0.1, 1e-3), ((50,), (50, 50))))
"""Settings of people who do not scale their table: half of them diverge."""


def unscaled(dtype=np.float32, scale=1e3):
    X = np.random.default_rng(0).normal(size=(200, 5)).astype(dtype) * dtype(scale)
    return X, X @ np.arange(1, 6, dtype=dtype)


def outcome(module, X, y, **settings):
    """What a fit ends with: scikit-learn's error, or weights and predictions that are finite."""
    model = module.MLPRegressor(max_iter=50, random_state=0, **settings)
    try:
        model.fit(X, y)
    except ValueError as error:
        return str(error)
    assert all(np.isfinite(array).all() for array in [*model.coefs_, *model.intercepts_])
    assert np.isfinite(model.predict(X)).all()
    return "finite"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("dtype", "solver", "scale", "rate", "hidden"), GRID)
def test_the_grid_ends_as_with_scikit_learn(dtype, solver, scale, rate, hidden):
    X, y = unscaled(dtype, scale)
    settings = {"hidden_layer_sizes": hidden, "solver": solver, "learning_rate_init": rate}
    ours, theirs = (outcome(module, X, y, **settings) for module in (fuseprop, sklearn.neural_network))
    assert ours == theirs
    assert (ours == "finite") if solver == "adam" else ("non-finite" in ours)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_classifier_that_diverges(dtype):
    X, y = unscaled(dtype)
    model = MLPClassifier(solver="sgd", learning_rate_init=1e30, max_iter=50, alpha=1.0, random_state=0)
    with pytest.raises(ValueError, match=WORDS):
        model.fit(X, y > 0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lbfgs_ends_as_with_scikit_learn(dtype):
    for scale in (1e3, 1e15):
        X, y = unscaled(dtype, scale)
        ours, theirs = (outcome(m, X, y, solver="lbfgs") for m in (fuseprop, sklearn.neural_network))
        assert ours == theirs


EXPLODES_LATER = {
    "solver": "sgd",
    "learning_rate": lambda epoch: 1e-3 if epoch < 3 else 1e9,
    "max_iter": 50,
    "random_state": 0,
}


def scaled():
    X = np.random.default_rng(0).normal(size=(60, 3))
    return X, X.sum(axis=1)


@pytest.mark.parametrize("options", [{"early_stopping": True}, {"callbacks": EarlyStopping(3)}])
def test_best_weights_are_restored_with_a_warning(options):
    X, y = scaled()
    model = MLPRegressor(**EXPLODES_LATER, **options)
    with pytest.warns(
        ConvergenceWarning, match=r"diverged in epoch \d.* best weights, of epoch \d, were rest"
    ):
        model.fit(X, y)
    assert model.stop_reason_ == "diverged"
    assert 1 <= model.best_epoch_ < model.n_iter_
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("options", [{"early_stopping": True}, {"callbacks": EarlyStopping(3)}])
def test_where_no_epoch_was_good_there_is_nothing_to_restore(options):
    X, y = scaled()
    model = MLPRegressor(solver="sgd", learning_rate_init=1e308, max_iter=50, random_state=0, **options)
    with pytest.raises(ValueError, match=WORDS):
        model.fit(X, 1e3 * y)
    assert not hasattr(model, "coefs_")


def test_weights_are_judged_and_not_their_sum_of_squares():
    """1e25 is a float32; its square is none. Nothing has diverged, and training goes on."""
    X, y = scaled()
    X, y = X.astype(np.float32) * np.float32(1e-25), y.astype(np.float32)
    model = MLPRegressor(
        hidden_layer_sizes=(), solver="sgd", alpha=0.0, learning_rate_init=1e-30, max_iter=3, tol=0.0
    )
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.fit(X, y)
    model.coefs_ = [np.full_like(model.coefs_[0], 1e25)]
    model.intercepts_ = [np.zeros_like(model.intercepts_[0])]
    model.set_params(warm_start=True)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.fit(X, y)
    assert (model.n_iter_, model.stop_reason_) == (3, "finished")
    assert model.history_.weight_norms[-1][0] == np.inf
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-5, atol=1e-6)


def test_partial_fit_raises_at_the_step_that_diverges_and_keeps_the_weights_before():
    X, y = scaled()
    model = MLPRegressor(solver="sgd", learning_rate_init=1e-3, random_state=0).partial_fit(X, y)
    before = model.predict(X)
    kept = [*model.loss_curve_], model.t_, model.n_iter_, model._optimizer.steps
    model._optimizer.learning_rate = 1e308
    with pytest.raises(ValueError, match=WORDS):
        model.partial_fit(X, 1e3 * y)
    assert ([*model.loss_curve_], model.t_, model.n_iter_, model._optimizer.steps) == kept
    np.testing.assert_array_equal(model.predict(X), before)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_warm_start_that_diverges_keeps_the_fit_before(solver):
    X, y = scaled()
    model = MLPRegressor(solver=solver, max_iter=5, random_state=0, warm_start=True).fit(X, y)
    before, curve, history = model.predict(X), [*model.loss_curve_], model.history_
    model.set_params(learning_rate_init=1e300)
    with pytest.raises(ValueError, match=WORDS):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.loss_curve_ == curve
    assert model.history_ is history
    model.set_params(learning_rate_init=1e-3).fit(X, y)
    assert len(model.loss_curve_) == 10


def test_finite_weights_with_a_loss_that_is_not_are_told():
    """One step leaves weights that are finite, and too large for any prediction."""
    X, y = unscaled(scale=1e9)
    model = MLPRegressor(
        hidden_layer_sizes=(50, 50), solver="sgd", learning_rate_init=0.1, max_iter=1, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.fit(X, y)
    with pytest.warns(RuntimeWarning, match="200 of 200 predictions are nan or inf.*too large for float32"):
        model.predict(X)
    model = MLPRegressor(
        hidden_layer_sizes=(50, 50), solver="sgd", learning_rate_init=0.1, max_iter=1, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="the loss of the last epoch is inf.*smaller learning rate"):
        model.partial_fit(X / np.float32(1e9), y * np.float32(1e11))


def test_a_schedule_that_fails_before_the_first_step_leaves_no_fitted_estimator():
    X, y = scaled()
    model = MLPRegressor(solver="sgd", learning_rate=lambda epoch: None, max_iter=3)
    with pytest.raises(ValueError, match="gave the learning rate None for epoch 0"):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")


def test_a_callback_that_fails_later_leaves_what_was_learned():
    X, y = scaled()

    def fail(history):
        if history.epochs == 2:
            raise RuntimeError("enough")

    model = MLPRegressor(max_iter=5, random_state=0, callbacks=OnEpochEnd(fail))
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        two = MLPRegressor(max_iter=2, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], two.coefs_[0])
