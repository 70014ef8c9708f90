"""Estimators with activations and losses by name, with parameters and of one's own."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import fuseprop
from fuseprop import Activation, Loss, MLPClassifier, MLPRegressor, to_sklearn
from fuseprop.data.tasks import is_for_classes
from fuseprop.formulas import ACTIVATIONS, LOSSES, huber, leaky_relu, sigmoid, sign, step, where
from fuseprop.formulas.activation import trainable_activations

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OWN = Activation("swish", lambda z: z * sigmoid(z))
ASYMMETRIC = Loss("asymmetric", lambda y, t: where(y > t, 3 * (y - t), t - y))
BRIER = Loss("brier", lambda z, t: (sigmoid(z) - t) ** 2, link="sigmoid", low=0, high=1, metric="d2")
QUICK = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0}


def weights(model):
    return np.concatenate([coef.ravel() for coef in model.coefs_])


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("name", trainable_activations())
def test_every_activation_trains_by_every_solver(classes, name, solver):
    X, y = classes
    model = MLPClassifier(activation=name, solver=solver, **QUICK).fit(X, y)
    assert np.isfinite(weights(model)).all()
    assert_array_equal(
        weights(MLPClassifier(activation=ACTIVATIONS[name], solver=solver, **QUICK).fit(X, y)), weights(model)
    )


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if not is_for_classes(loss())])
def test_every_loss_of_numbers_trains_by_every_solver(numbers, name, solver):
    X, y = numbers
    model = MLPRegressor(name, activation="gelu", solver=solver, **QUICK).fit(X, np.abs(y))
    assert np.isfinite(weights(model)).all()
    assert model.predict(X).shape == y.shape


def test_lbfgs_descends_by_a_slope_that_is_of_z(numbers):
    """Its gradient is right only where the weighted sums are kept for the backward pass."""
    X, y = numbers
    model = MLPRegressor(hidden_layer_sizes=(20,), activation="gelu", solver="lbfgs", random_state=0)
    assert model.fit(X, y).score(X, y) > 0.999


def test_parameters_by_name_as_objects_and_as_families(numbers):
    X, y = numbers
    given = [("huber(1.35)", "leaky_relu(0.2)"), (huber(1.35), leaky_relu(0.2))]
    given.append(("huber(delta=1.35)", ["leaky_relu(negative_slope=0.2)"]))
    first, *others = [weights(MLPRegressor(loss, activation=f, **QUICK).fit(X, y)) for loss, f in given]
    for other in others:
        assert_array_equal(other, first)
    plain = weights(MLPRegressor(huber, activation=leaky_relu, **QUICK).fit(X, y))
    assert_array_equal(plain, weights(MLPRegressor("huber", activation="leaky_relu", **QUICK).fit(X, y)))
    assert (plain != first).any()


def test_a_quantile_is_learned(numbers):
    X, _ = numbers
    y = np.random.default_rng(0).uniform(size=len(X))
    model = MLPRegressor("quantile(0.9)", (), solver="lbfgs", alpha=0.0, max_iter=500).fit(X, y)
    assert np.mean(y <= model.predict(X) + 1e-6) == pytest.approx(0.9, abs=0.05)


def test_proportions_by_a_loss_with_a_link(numbers):
    X, y = numbers
    shares = expit(y)
    model = MLPRegressor(BRIER, (8,), max_iter=300, random_state=0, early_stopping=True)
    model.fit(X[:100], shares[:100], X_val=X[100:], y_val=shares[100:])
    found = model.predict(X[100:])
    assert model.out_activation_ == "logistic"
    assert ((found > 0) & (found < 1)).all()
    assert model.best_validation_score_ == pytest.approx(model.score(X[100:], shares[100:]))
    error = np.mean((found - shares[100:]) ** 2)
    best = model.history_.validation_loss[model.best_epoch_ - 1]
    assert best == pytest.approx(error)
    with pytest.raises(ValueError, match="loss='brier' needs y from 0 to 1, got -"):
        MLPRegressor(BRIER, **QUICK).fit(X, -shares)


def test_validation_reports_what_training_does(numbers):
    X, y = numbers
    model = MLPRegressor(ASYMMETRIC, early_stopping=True, **QUICK).fit(X, y)
    assert model.history_.metric == "loss"
    assert model.history_.validation_metric == model.history_.validation_loss
    assert model.validation_scores_ != model.history_.validation_metric


@pytest.mark.parametrize(
    ("activation", "loss"),
    [
        ("gelu", "huber(1.35)"),
        (OWN, ASYMMETRIC),
        ((OWN,), BRIER),
        (leaky_relu(0.2), huber),
        ("silu", "poisson"),
    ],
)
def test_copies_clones_pickles_and_files(numbers, tmp_path, activation, loss):
    X, y = numbers
    model = MLPRegressor(loss, activation=activation, **QUICK).fit(X, expit(y))
    expected, path = model.predict(X), tmp_path / "m.safetensors"
    model.save(path)
    loaded = MLPRegressor.load(path)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), loaded):
        assert_array_equal(again.predict(X), expected)
    assert_allclose(fuseprop.load(path, device="cpu").predict(X).values, expected, rtol=1e-12)
    assert loaded._loss() == model._loss()
    loaded.save(tmp_path / "again.safetensors")
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()
    unfitted = clone(model)
    assert unfitted.get_params() == model.get_params()
    assert_array_equal(weights(unfitted.fit(X, expit(y))), weights(model))
    assert "activation" in repr(MLPRegressor(activation=OWN))


def test_a_grid_of_losses_and_activations(numbers):
    X, y = numbers
    choices = {"loss": ["squared_error", "huber(1.35)", ASYMMETRIC, huber(2)], "activation": ["gelu", OWN]}
    search = GridSearchCV(MLPRegressor(**QUICK), choices, cv=2, n_jobs=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert set(search.cv_results_["param_loss"]) == set(choices["loss"])


class LikeTorch:
    """A module, as PyTorch has them."""

    def __call__(self, x):
        return x

    def forward(self, x):
        return x


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        (lambda z: z, r"'activation' parameter .* an Activation such as fuseprop.Activation.* Got <function"),
        (np.tanh, "'activation' parameter .* Got <ufunc 'tanh'>"),
        (Activation, "'activation' parameter .* Got <class"),
        (LikeTorch(), "'activation' parameter .* Got <"),
        (None, "'activation' parameter .* Got None"),
        (0.2, "'activation' parameter .* Got 0.2"),
        ([["relu"]], r"activation \['relu'\] is not known"),
        ([None], "activation None is not known"),
        ("gelo", 'activation "gelo" is not known. Choose from: logistic, .*Did you mean "gelu"'),
        ("step", 'activation "step" cannot be trained by gradient descent: .* fuseprop.GeneticSearch'),
        (step, "cannot be trained by gradient descent"),
        (["relu", step()], "cannot be trained by gradient descent"),
        (Activation("sign", sign, low=-1), 'activation "sign" cannot be trained by gradient descent'),
        ("leaky_relu(2)", "negative_slope of leaky_relu must be a number of at least 0 and below 1, got 2.0"),
        ("leaky_relu(0.1, 0.2)", r"leaky_relu takes the parameters \(negative_slope=0.01\)"),
        ("relu(1)", "relu takes no parameters"),
        ("__import__('os').getcwd()", "is not known"),
        ("lambda z: z", "is not known"),
        ("x" * 10_000_000, r'activation "x{60}..." is not known'),
    ],
)
def test_what_is_no_activation_is_refused(classes, activation, message):
    model = MLPClassifier(activation=activation, **QUICK)
    with pytest.raises(ValueError, match=message) as caught:
        model.fit(*classes)
    assert len(str(caught.value)) < 500
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda y, t: y - t, "'loss' parameter .* a Loss such as fuseprop.Loss.* Got <function"),
        (np.sum, "'loss' parameter .* Got <function sum"),
        (Loss, "'loss' parameter .* Got <class"),
        (None, "'loss' parameter .* Got None"),
        (["huber"], r"'loss' parameter .* Got \['huber'\]"),
        (OWN, "'loss' parameter .* Got <activation swish"),
        (sigmoid, "loss must be a name or a Loss, got <sigmoid"),
        ("squared_eror", 'Choose from: squared_error, poisson, absolute_error, .*mean "squared_error"'),
        ("huber(0)", "delta of huber must be a number above 0, got 0.0"),
        ("huber(nan)", "delta of huber must be a number above 0, got nan"),
        ("hinge", "loss hinge is one of classes, but a regressor learns numbers"),
        ("softmax_cross_entropy", "one of classes"),
        (LOSSES["sigmoid_cross_entropy"], "one of classes"),
    ],
)
def test_what_is_no_loss_of_numbers_is_refused(numbers, loss, message):
    with pytest.raises(ValueError, match=message):
        MLPRegressor(loss, **QUICK).fit(*numbers)


def test_scikit_learn_has_four_activations_and_two_losses(classes, numbers):
    X, y = numbers
    with pytest.raises(
        ValueError, match=r"has no activation gelu. Activations .*: identity, logistic, tanh, relu"
    ):
        to_sklearn(MLPClassifier(activation="gelu", **QUICK).fit(*classes))
    with pytest.raises(ValueError, match="has no activation swish"):
        to_sklearn(MLPRegressor(activation=[OWN], **QUICK).fit(X, y))
    with pytest.raises(ValueError, match="has no loss <loss asymmetric"):
        to_sklearn(MLPRegressor(ASYMMETRIC, **QUICK).fit(X, y))
    ours = MLPRegressor(LOSSES["half_squared_error"], activation=sigmoid, **QUICK).fit(X, y)
    theirs = to_sklearn(ours)
    assert (theirs.loss, theirs.activation) == ("squared_error", "logistic")
    assert_allclose(theirs.predict(X), ours.predict(X), rtol=1e-12)
