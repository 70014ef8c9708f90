"""Bad input: what scikit-learn checks has its error and its words."""

import numpy as np
import pytest
import scipy.sparse
import sklearn.neural_network
from sklearn.exceptions import DataConversionWarning

import fuseprop

pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)
X, CLASSES, NUMBERS = RNG.normal(size=(30, 3)), np.arange(30) % 3, RNG.normal(size=30)

BOTH = {
    "one axis": lambda m, y: m.fit(X[:, 0], y),
    "three axes": lambda m, y: m.fit(X[None], y),
    "no y": lambda m, y: m.fit(X, None),
    "y too short": lambda m, y: m.fit(X, y[:5]),
    "nan": lambda m, y: m.fit(np.where(X > 1, np.nan, X), y),
    "inf": lambda m, y: m.fit(np.where(X > 1, np.inf, X), y),
    "nan in y": lambda m, y: m.fit(X, np.where(NUMBERS > 1, np.nan, NUMBERS)),
    "no rows": lambda m, y: m.fit(X[:0], y[:0]),
    "no features": lambda m, y: m.fit(X[:, :0], y),
    "text": lambda m, y: m.fit(np.full((30, 3), "a", object), y),
    "complex": lambda m, y: m.fit(X + 1j, y),
    "weights too short": lambda m, y: m.fit(X, y, np.ones(4)),
    "weights all 0": lambda m, y: m.fit(X, y, np.zeros(30)),
    "weights nan": lambda m, y: m.fit(X, y, np.full(30, np.nan)),
    "weights in two axes": lambda m, y: m.fit(X, y, np.ones((30, 2))),
    "hidden size -1": lambda m, y: m.set_params(hidden_layer_sizes=(3, -1)).fit(X, y),
    "hidden size 0": lambda m, y: m.set_params(hidden_layer_sizes=0).fit(X, y),
    "alpha": lambda m, y: m.set_params(alpha=-1).fit(X, y),
    "learning rate": lambda m, y: m.set_params(learning_rate_init=0).fit(X, y),
    "no epochs": lambda m, y: m.set_params(max_iter=0).fit(X, y),
    "no validation rows": lambda m, y: m.set_params(validation_fraction=0.0, early_stopping=True).fit(X, y),
    "too few rows": lambda m, y: m.set_params(early_stopping=True).fit(X[:3], y[:3]),
    "not fitted": lambda m, y: m.predict(X),
    "other features": lambda m, y: m.fit(X, y).predict(X[:, :2]),
    "other features again": lambda m, y: m.set_params(warm_start=True).fit(X, y).fit(X[:, :2], y),
    "other features in part": lambda m, y: m.fit(X, y).partial_fit(X[:, :2], y),
    "nan in predict": lambda m, y: m.fit(X, y).predict(np.full((2, 3), np.nan)),
    "one row": lambda m, y: m.fit(X, y).predict(X[0]),
    "part with early stopping": lambda m, y: m.set_params(early_stopping=True).fit(X, y).partial_fit(X, y),
}

CLASSIFIER = {
    "numbers for classes": lambda m, y: m.fit(X, NUMBERS),
    "several targets": lambda m, y: m.fit(X, np.column_stack([y, y])),
    "classes not named": lambda m, y: m.partial_fit(X, y),
    "unknown class": lambda m, y: m.partial_fit(X, y, classes=[0, 1]),
    "other classes": lambda m, y: m.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y, classes=[0, 1]),
    "other classes again": lambda m, y: m.set_params(warm_start=True).fit(X, y).fit(X, y + 1),
    "a class of one": lambda m, y: m.set_params(early_stopping=True).fit(X, [0] * 29 + [1]),
    "no partial_fit": lambda m, y: m.set_params(solver="lbfgs").partial_fit(X, y),
}


def outcome(module, name, call, y):
    model = getattr(module, name)(max_iter=2, random_state=0)
    with pytest.raises(Exception) as raised:  # noqa: PT011 (whatever it is, both must raise the same)
        call(model, y)
    return raised.type, str(raised.value)


@pytest.mark.parametrize("case", [*BOTH, *CLASSIFIER])
def test_classifier(case):
    call = (BOTH | CLASSIFIER)[case]
    ours, theirs = (outcome(m, "MLPClassifier", call, CLASSES) for m in (fuseprop, sklearn.neural_network))
    assert ours == theirs


@pytest.mark.parametrize("case", BOTH)
def test_regressor(case):
    ours, theirs = (
        outcome(m, "MLPRegressor", BOTH[case], NUMBERS) for m in (fuseprop, sklearn.neural_network)
    )
    assert ours == theirs


def test_odd_but_right():
    """What both take: a column for y, one row, one class, sparse labels, labels of which none is there."""
    for call in (
        lambda m: m.fit(X, CLASSES.reshape(-1, 1)).predict(X),
        lambda m: m.fit(X[:1], CLASSES[:1]).predict(X),
        lambda m: m.fit(X, CLASSES * 0).predict_proba(X),
        lambda m: m.fit(X, scipy.sparse.csr_array(np.eye(3, dtype=int)[CLASSES])).predict(X).toarray(),
        lambda m: m.fit(X, np.zeros((30, 2), int)).predict(X),
        lambda m: m.set_params(batch_size=99).fit(X, CLASSES).predict(X),
    ):
        ours, theirs = (
            call(module.MLPClassifier(max_iter=2, random_state=0))
            for module in (fuseprop, sklearn.neural_network)
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)
        assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"learning_rate": "adaptive"}])
def test_verbose_prints_the_same(capsys, options):
    printed = []
    for module in (sklearn.neural_network, fuseprop):
        module.MLPClassifier(
            solver="sgd", tol=0.1, n_iter_no_change=2, max_iter=40, random_state=0, verbose=True, **options
        ).fit(X, CLASSES > 0)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert "did not improve more than tol=0.1" in printed[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.fit(X, CLASSES + 5, np.full(30, np.nan)),
        lambda m: m.fit(X[:, :2], CLASSES, X_val=X, y_val=CLASSES),
        lambda m: m.set_params(early_stopping=True).fit(X[:3], CLASSES[:3]),
        lambda m: m.set_params(device="nowhere").fit(X[:, :2], CLASSES),
        lambda m: m.set_params(solver="lbfgs", dropout=0.5).fit(X[:, :2], CLASSES),
    ],
)
def test_a_fitted_estimator_stays_as_it_was(call):
    model = fuseprop.MLPClassifier(max_iter=2, random_state=0).fit(X, CLASSES)
    before, classes = model.predict_proba(X), model.classes_
    with pytest.raises((ValueError, fuseprop.BackendUnavailable)):
        call(model)
    model.set_params(device="cpu", early_stopping=False)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    np.testing.assert_array_equal(model.classes_, classes)


def test_a_column_for_y_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        fuseprop.MLPClassifier(max_iter=2).fit(X, CLASSES.reshape(-1, 1))


def test_weights_of_less_than_nothing_are_told_as_what_they_are():
    with pytest.raises(ValueError, match="sample weights of a batch add up to -20"):
        fuseprop.MLPClassifier(max_iter=1).fit(np.eye(20), np.arange(20) % 2, -np.ones(20))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_what_is_no_callback_is_refused(solver):
    model = fuseprop.MLPClassifier(solver=solver, max_iter=1, callbacks=[print])
    with pytest.raises(TypeError, match="a callback must be an object with start, epoch_end and end"):
        model.fit(np.eye(4), [0, 1, 0, 1])
