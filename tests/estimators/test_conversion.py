"""From scikit-learn and to it, and to model files and back."""

import warnings

import numpy as np
import pytest
import sklearn.neural_network as theirs
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import NotFittedError

import fuseprop
from fuseprop import MLPClassifier, MLPRegressor, from_sklearn, to_sklearn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {"max_iter": 6, "random_state": 0, "hidden_layer_sizes": (5, 4), "activation": "logistic"}


def labels():
    return make_multilabel_classification(120, 6, n_classes=3, random_state=0)


@pytest.fixture(params=["multi-class", "binary", "multi-label", "numbers", "counts"])
def fitted(request, classes, numbers):
    """A class's name, options, X and y."""
    X, y = classes
    return {
        "multi-class": ("MLPClassifier", OPTIONS, X, y),
        "binary": ("MLPClassifier", OPTIONS, X, y == "a"),
        "multi-label": ("MLPClassifier", OPTIONS, *labels()),
        "numbers": ("MLPRegressor", OPTIONS, *numbers),
        "counts": ("MLPRegressor", OPTIONS | {"loss": "poisson"}, X, np.abs(X[:, 0]).round()),
    }[request.param]


def answers(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def test_from_scikit_learn_and_back(fitted):
    name, options, X, y = fitted
    before = getattr(theirs, name)(**options, warm_start=True).fit(X, y)
    ours = from_sklearn(before, dtype="float64")
    after = to_sklearn(ours)
    assert ours.dtype == "float64"
    assert type(after) is type(before)
    for model in (ours, after):
        np.testing.assert_allclose(answers(model, X), answers(before, X), rtol=1e-12)
        if hasattr(model, "classes_"):
            np.testing.assert_array_equal(model.predict(X), before.predict(X))
    for model in (before, ours, after):
        model.fit(X, y)
    for model in (ours, after):
        np.testing.assert_allclose(answers(model, X), answers(before, X), rtol=1e-10)
        np.testing.assert_allclose(model.loss_curve_, before.loss_curve_, rtol=1e-10)


def test_what_cannot_be_converted_says_why(classes, numbers):
    with pytest.raises(TypeError, match="takes an MLPClassifier or MLPRegressor of sklearn"):
        from_sklearn(MLPClassifier())
    with pytest.raises(NotFittedError):
        from_sklearn(theirs.MLPClassifier())
    model = MLPClassifier((3, 3), activation=("relu", "tanh"), max_iter=2).fit(*classes)
    with pytest.raises(ValueError, match="one activation for all hidden layers"):
        to_sklearn(model)
    model = MLPRegressor("absolute_error", max_iter=2).fit(*numbers)
    with pytest.raises(ValueError, match="has no loss 'absolute_error'"):
        to_sklearn(model)


def test_files(fitted, tmp_path):
    name, options, X, y = fitted
    path = tmp_path / "model.safetensors"
    model = getattr(fuseprop, name)(**options).fit(X, y)
    model.save(path)
    loaded = type(model).load(path)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(answers(loaded, X), answers(model, X))
    assert loaded.out_activation_ == model.out_activation_
    whole = fuseprop.load(path, device="cpu").predict(X)
    np.testing.assert_array_equal(whole.values, model.predict(X))


def test_a_loaded_estimator_learns_on(fitted, tmp_path):
    """From the file's weights, by an optimizer that starts anew, where the file has none, and says so."""
    name, options, X, y = fitted
    path = tmp_path / "model.safetensors"
    getattr(fuseprop, name)(**options).fit(X, y).save(path, training=False)
    kind = getattr(fuseprop, name)
    for parameters in ({}, {"solver": "sgd"}, {"warm_start": True}):
        model = kind.load(path).set_params(max_iter=3, learning_rate_init=1e-6, **parameters)
        before = [coef.copy() for coef in model.coefs_]
        with pytest.warns(UserWarning, match="from the weights alone"):
            (model.fit if "warm_start" in parameters else model.partial_fit)(X, y)
        if "warm_start" not in parameters:
            assert model.n_iter_ == 1
        for coef, earlier in zip(model.coefs_, before, strict=True):
            assert 0 < np.abs(coef - earlier).max() < 1e-3
        scikit_learns = to_sklearn(kind.load(path)).partial_fit(X, y)
        assert len(scikit_learns.loss_curve_) == 1
        later = to_sklearn(model.set_params(early_stopping=True)).set_params(warm_start=True, max_iter=2)
        assert later.fit(X, y).n_iter_ == 2


def test_a_trained_model_becomes_an_estimator(numbers, tmp_path):
    """The standardization in its file goes into the weights."""
    from fuseprop.data import Table

    X, y = numbers
    path = tmp_path / "model.safetensors"
    table = Table.of(100 + 7 * X, y, source="numbers")
    trained, _ = fuseprop.train(table, epochs=2, seed=0, bins=0, clip=False, device="cpu")
    trained.save(path)
    np.testing.assert_allclose(
        MLPRegressor.load(path).predict(100 + 7 * X),
        trained.predict(table).values,
        rtol=1e-3,
        atol=1e-3,
    )


def test_files_of_another_kind_are_refused(classes, tmp_path):
    path = tmp_path / "model.safetensors"
    MLPClassifier(max_iter=2).fit(*classes).save(path)
    with pytest.raises(fuseprop.ModelFileError, match="the task exclusive: load it by the other"):
        MLPRegressor.load(path)
    with pytest.raises(ValueError, match="knows one class"):
        MLPClassifier(max_iter=2).fit(classes[0], ["a"] * len(classes[0])).save(path)


def test_early_stopping_goes_on_in_scikit_learn(classes):
    """Where no epoch is better than those before, it goes back to weights that it must have been given."""
    model = MLPClassifier(max_iter=4, early_stopping=True, random_state=0).fit(*classes)
    after = to_sklearn(model).set_params(warm_start=True, solver="sgd", learning_rate_init=1e-12)
    np.testing.assert_allclose(after.fit(*classes).coefs_[0], model.coefs_[0])


def test_an_activation_that_no_estimator_trains_is_not_taken_over():
    before = theirs.MLPClassifier((3,), max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before.fit(np.eye(4), [0, 1, 0, 1])
    before.activation = "step"
    with pytest.raises(ValueError, match=r'activation "step" cannot be trained by gradient descent'):
        from_sklearn(before)
