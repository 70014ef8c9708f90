"""What these estimators can and scikit-learn's cannot."""

import signal

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import d2_absolute_error_score, d2_tweedie_score
from sklearn.utils import compute_sample_weight

from fuseprop import BackendUnavailable, EarlyStopping, MLPClassifier, MLPRegressor
from fuseprop.callbacks import OnEpochEnd
from fuseprop.schedules import Cosine, InverseScaling

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def classifier(**options):
    return MLPClassifier(**{"max_iter": 8, "random_state": 0, "hidden_layer_sizes": (8, 6)} | options)


def test_an_activation_per_layer(classes):
    X, y = classes
    same = classifier(activation=("tanh", "tanh")).fit(X, y)
    assert_array_equal(same.coefs_[0], classifier(activation="tanh").fit(X, y).coefs_[0])
    mixed = classifier(activation=["sigmoid", "relu"]).fit(X, y)
    hidden = 1 / (1 + np.exp(-(X @ mixed.coefs_[0] + mixed.intercepts_[0])))
    hidden = np.maximum(hidden @ mixed.coefs_[1] + mixed.intercepts_[1], 0)
    logits = np.exp(hidden @ mixed.coefs_[2] + mixed.intercepts_[2])
    assert_allclose(mixed.predict_proba(X), logits / logits.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": ("relu",)}, r"activation has 1 entry for 2 hidden layers .* exactly 2"),
        ({"activation": ("relu", "gelo")}, r'activation "gelo" is not known. Choose from: .*sigmoid'),
        ({"dtype": "float16"}, r"'dtype' parameter .* 'float(32|64)'.* Got 'float16'"),
        ({"dropout": 1.0}, r"'dropout' parameter .* Got 1.0"),
        ({"clip_norm": 0.0}, r"'clip_norm' parameter .* Got 0.0"),
        ({"class_weight": "equal"}, r"'class_weight' parameter .*'balanced'.* Got 'equal'"),
        ({"callbacks": 3}, r"'callbacks' parameter .* Got 3"),
        ({"dropout": 0.5, "solver": "lbfgs"}, r"dropout=0.5 needs solver 'sgd' or 'adam', got 'lbfgs'"),
    ],
)
def test_bad_options_say_what_there_is(classes, options, message):
    with pytest.raises(ValueError, match=message):
        classifier(**options).fit(*classes)


def test_a_device_that_cannot_be_had_is_an_error(classes):
    with pytest.raises(BackendUnavailable, match="nowhere"):
        classifier(device="nowhere").fit(*classes)
    model = classifier().fit(*classes)
    assert model.device_ == "cpu"
    with pytest.raises(BackendUnavailable, match="nowhere"):
        model.set_params(device="nowhere").predict(classes[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(numbers, dtype):
    X, y = numbers
    model = MLPRegressor(max_iter=3, dtype=dtype).fit(X.astype("float32"), y)
    assert model.coefs_[0].dtype == model.predict(X).dtype == dtype


def test_class_weights_are_sample_weights(classes):
    X, y = classes
    keep = (y != "a") | (np.arange(len(y)) % 4 == 0)
    X, y = X[keep], y[keep]
    for class_weight in ("balanced", {"a": 3.0, "c": 0.5}):
        weights = compute_sample_weight(class_weight, y)
        model = classifier(class_weight=class_weight).fit(X, y)
        assert_array_equal(model.coefs_[0], classifier().fit(X, y, weights).coefs_[0])
        model = classifier(class_weight=class_weight).fit(X, y, np.arange(1.0, len(y) + 1))
        expected = classifier().fit(X, y, weights * np.arange(1.0, len(y) + 1))
        assert_array_equal(model.coefs_[0], expected.coefs_[0])
    with pytest.raises(ValueError, match="not supported by partial_fit"):
        classifier(class_weight="balanced").partial_fit(X, y, classes=["a", "b", "c"])


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_dropout(classes, solver):
    X, y = classes
    model = classifier(dropout=0.5, solver=solver).fit(X, y)
    assert_array_equal(model.coefs_[0], classifier(dropout=0.5, solver=solver).fit(X, y).coefs_[0])
    assert not np.array_equal(model.coefs_[0], classifier(solver=solver).fit(X, y).coefs_[0])
    assert_array_equal(model.predict_proba(X), model.predict_proba(X))


def test_dropout_leaves_out_other_units_in_each_partial_fit(numbers):
    """With a rate of 0 nothing is learned, so that only the masks can make a difference."""
    X, y = numbers
    model = MLPRegressor(
        dropout=0.5, solver="sgd", learning_rate=lambda epoch: 0.0, random_state=0, shuffle=False
    )
    losses = [model.partial_fit(X, y).loss_ for _ in range(3)]
    assert len(set(losses)) == 3


def test_gradients_are_clipped(numbers):
    X, y = numbers
    free, clipped = (
        MLPRegressor(max_iter=3, solver="sgd", random_state=0, clip_norm=limit).fit(X, y)
        for limit in (None, 1e-3)
    )
    norm = np.linalg.norm(clipped.history_.gradient_norms[-1])
    assert norm <= 1e-3 * (1 + 1e-12)
    assert np.linalg.norm(free.history_.gradient_norms[-1]) > 1e-3


def test_losses(numbers):
    X, y = numbers
    absolute = MLPRegressor("absolute_error", max_iter=4, random_state=0, alpha=0).fit(X, y)
    assert absolute.history_.metric == "d2"
    model = MLPRegressor("mean_absolute_error", max_iter=4, random_state=0, alpha=0).fit(X, y)
    assert_array_equal(absolute.coefs_[0], model.coefs_[0])
    half = MLPRegressor("half_squared_error", max_iter=4, random_state=0).fit(X, y)
    assert_array_equal(half.coefs_[0], MLPRegressor(max_iter=4, random_state=0).fit(X, y).coefs_[0])
    with pytest.raises(ValueError, match="needs y of at least 0"):
        MLPRegressor("poisson", max_iter=4).fit(X, y)


def test_metrics_of_other_losses(numbers):
    X, y = numbers
    counts = np.abs(y[:, 0]).round()
    for loss, target, score in (
        ("absolute_error", y[:, 0], d2_absolute_error_score),
        ("poisson", counts, lambda y, found: d2_tweedie_score(y, found, power=1)),
    ):
        model = MLPRegressor(loss, max_iter=6, random_state=0, early_stopping=True)
        model.fit(X[:100], target[:100], X_val=X[100:], y_val=target[100:])
        best = model.best_epoch_ - 1
        assert model.history_.metric == "d2"
        assert model.history_.validation_metric[best] == pytest.approx(
            score(target[100:], model.predict(X[100:]))
        )
        assert model.best_validation_score_ == pytest.approx(model.score(X[100:], target[100:]))


def test_schedules(classes):
    X, y = classes
    ours = classifier(solver="sgd", learning_rate=InverseScaling(0.1, 0.5, len(X))).fit(X, y)
    theirs = classifier(solver="sgd", learning_rate="invscaling", learning_rate_init=0.1).fit(X, y)
    assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-12)
    rates = classifier(learning_rate=Cosine(0.01, 8)).fit(X, y).history_.learning_rate
    assert_allclose(rates, [Cosine(0.01, 8)(epoch) for epoch in range(8)])


def test_own_validation_rows(classes, numbers):
    X, y = classes
    model = classifier().fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    assert len(model.history_.validation_loss) == model.n_iter_
    assert model.history_.validation_metric[-1] == pytest.approx(model.score(X[100:], y[100:]))
    assert model.validation_scores_ is None
    model = classifier(early_stopping=True).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    assert model.t_ == 100 * model.n_iter_
    assert model.score(X[100:], y[100:]) == pytest.approx(model.best_validation_score_)
    with pytest.raises(ValueError, match=r"not in `self\.classes_`"):
        classifier().fit(X, y, X_val=X[:2], y_val=["a", "z"])
    with pytest.raises(ValueError, match="X has 5 features"):
        classifier().fit(X, y, X_val=X[:, :5], y_val=y)

    X, y = numbers
    model = MLPRegressor(max_iter=8, random_state=0).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    assert model.history_.validation_metric[-1] == pytest.approx(model.score(X[100:], y[100:]))
    error = np.mean((model.predict(X[100:]) - y[100:]) ** 2) / 2
    assert model.history_.validation_loss[-1] == pytest.approx(error)


def test_history(classes):
    model = classifier(early_stopping=True, alpha=0.0).fit(*classes)
    history = model.history_
    assert history.epochs == model.n_iter_ == 8
    assert_allclose(history.train_loss, model.loss_curve_)
    assert history.validation_metric == model.validation_scores_
    assert model.best_epoch_ == np.argmax(model.validation_scores_) + 1
    assert model.stop_reason_ == "finished"
    assert len(history.seconds) == len(history.learning_rate) == 8
    norms = [
        np.sqrt((w**2).sum() + (b**2).sum()) for w, b in zip(model.coefs_, model.intercepts_, strict=True)
    ]
    assert_allclose(history.weight_norms[model.best_epoch_ - 1], norms)
    assert all(0 <= share <= 1 for share in history.train_metric)


def test_reasons_to_stop(classes):
    assert classifier(tol=10.0, n_iter_no_change=2).fit(*classes).stop_reason_ == "converged"
    model = classifier(tol=10.0, n_iter_no_change=2, early_stopping=True).fit(*classes)
    assert model.stop_reason_ == "early stopping"
    assert classifier(solver="lbfgs", max_iter=500, tol=0.1).fit(*classes).stop_reason_ == "converged"


def test_callbacks(classes):
    X, y = classes
    seen = []

    def look(history):
        seen.append(history.train_loss[-1])
        if history.epochs == 3:
            history.stop("enough")

    model = classifier(callbacks=OnEpochEnd(look)).fit(X, y)
    assert (model.n_iter_, model.stop_reason_, seen) == (3, "enough", model.history_.train_loss)
    patient = [EarlyStopping(patience=1, min_delta=10.0)]
    model = classifier(callbacks=patient).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    assert model.stop_reason_ == "early stopping"
    model = classifier(callbacks=[OnEpochEnd(look)], solver="lbfgs").fit(X, y)
    assert (model.n_iter_, model.stop_reason_) == (3, "enough")


def test_ctrl_c_keeps_what_was_learned(classes):
    def press(history):
        if history.epochs == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.warns(UserWarning, match=r"Training interrupted by user\."):
        model = classifier(callbacks=OnEpochEnd(press)).fit(*classes)
    assert model.stop_reason_ == "interrupted"
    assert_array_equal(model.coefs_[0], classifier(max_iter=2).fit(*classes).coefs_[0])


def test_an_explosion_stops_at_once(numbers):
    X, y = numbers
    model = MLPRegressor(
        solver="sgd", learning_rate_init=1e3, early_stopping=True, random_state=0, activation="identity"
    )
    model.fit(X * 100, y)
    assert model.stop_reason_ == "diverged"
    assert np.isfinite(model.coefs_[0]).all()
