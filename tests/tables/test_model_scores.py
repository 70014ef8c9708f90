"""What a model's scores are: those of `fuseprop.metrics` of its own predictions, for every task and loss."""

import copy
import pickle

import numpy as np
import pytest

import fuseprop
from fuseprop import Table, metrics
from fuseprop.metrics import Scores

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
NOISE = RNG.normal(size=120)
NUMBERS = 1000 + 50 * (X[:, 0] + 0.3 * NOISE)
TWO = np.where(X[:, 0] + 0.5 * NOISE > 0.5, "yes", "no")
THREE = np.array(["a", "b", "c"])[(X[:, 0] + 0.3 * NOISE > -0.5).astype(int) + (X[:, 0] > 0.6)]
LABELS = np.c_[X[:, 0] > 0, X[:, 1] > 1, X[:, 2] + NOISE > 0].astype(int)

OF_CLASSES = ["loss", "accuracy", "baseline", "balanced_accuracy", "f1", "log_loss", "roc_auc"]


def trained(targets, **settings):
    return fuseprop.train(Table.of(X, targets), epochs=5, members=1, bins=0, device="cpu", **settings)


@pytest.mark.parametrize("targets", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_of_classes(targets, dtype):
    model, report = trained(targets, dtype=dtype)
    scores, answers = model.evaluate(X, targets), model.predict(X)
    assert list(scores) == OF_CLASSES
    for name in ("accuracy", "balanced_accuracy", "f1"):
        assert scores[name] == pytest.approx(getattr(metrics, name)(targets, answers.values), rel=1e-12)
    for name in ("log_loss", "roc_auc"):
        expected = getattr(metrics, name)(targets, answers.probabilities)
        assert scores[name] == pytest.approx(expected, rel=1e-12)
    assert scores["log_loss"] == pytest.approx(scores["loss"], rel=1e-5)
    assert scores.confusion.classes == answers.labels
    matrix = metrics.confusion_matrix(targets, answers.values)
    np.testing.assert_array_equal(scores.confusion.counts, matrix)
    assert set(scores.intervals) == set(OF_CLASSES) - {"loss", "baseline"}
    assert all(low <= scores[name] <= high for name, (low, high) in scores.intervals.items())
    assert list(report.test) == OF_CLASSES


def test_scores_of_labels():
    model, _ = trained(LABELS)
    scores, decided = model.evaluate(X, LABELS), model.predict(X).values
    assert list(scores) == ["loss", "accuracy", "baseline", "f1"]
    assert scores["accuracy"] == metrics.accuracy(LABELS, decided)
    assert scores["f1"] == metrics.f1(LABELS, decided)
    assert set(scores.intervals) == {"accuracy", "f1"}
    assert scores.confusion is None


@pytest.mark.parametrize("loss", ["mean_squared_error", "huber(1.35)", "mean_absolute_error"])
@pytest.mark.parametrize("targets", [NUMBERS, np.c_[NUMBERS, X[:, 1]]], ids=["one", "two"])
def test_scores_of_numbers_are_in_their_own_units(loss, targets):
    model, _ = trained(targets, loss=loss)
    scores, values = model.evaluate(X, targets), model.predict(X).values
    for name in ("rmse", "mae", "r2"):
        assert scores[name] == pytest.approx(getattr(metrics, name)(targets, values), rel=1e-9)
        low, high = scores.intervals[name]
        assert low < scores[name] < high
    mean = np.broadcast_to(targets.mean(axis=0), targets.shape)
    assert scores["rmse_of_mean"] == pytest.approx(metrics.rmse(targets, mean), rel=1e-9)
    assert next(iter(scores)) == "loss"
    assert ("d2" in scores) == (loss == "mean_absolute_error")


def test_scores_of_counts():
    counts = np.random.default_rng(1).poisson(np.exp(1 + 0.5 * X[:, 0]))
    model, _ = trained(counts, task="regression", loss="half_poisson_deviance")
    assert model.evaluate(X, counts)["rmse"] == pytest.approx(metrics.rmse(counts, model.predict(X).values))


@pytest.mark.parametrize("targets", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("loss", ["hinge", "mean_squared_error"])
def test_losses_without_probabilities_have_no_log_loss(targets, loss):
    model, _ = trained(targets, loss=loss)
    scores = model.evaluate(X, targets)
    assert ("log_loss" in scores) == (loss != "hinge" and targets is TWO)
    assert "log_loss" not in scores.undefined
    assert scores["accuracy"] == metrics.accuracy(targets, model.predict(X).values)
    assert scores["roc_auc"] > 0.8


def test_labels_in_a_coding_of_the_loss():
    model, _ = trained(LABELS, loss="hinge")
    scores = model.evaluate(X, LABELS)
    assert scores["f1"] == metrics.f1(LABELS, model.predict(X).values)


def test_rows_of_one_class_alone():
    model, _ = trained(TWO)
    rows = TWO == "no"
    scores = model.evaluate(X[rows], TWO[rows])
    assert scores.undefined["roc_auc"] == "no row is of the class 'yes'"
    assert "roc_auc" not in scores
    assert scores["balanced_accuracy"] == scores["accuracy"]
    certain = rows & (X[:, 0] < -1)
    scores = model.evaluate(X[certain], TWO[certain])
    assert scores["accuracy"] == 1.0
    assert scores.undefined["f1"] == "no row is of the class 'yes', and none is taken for it"
    assert "f1" not in scores.keys() | scores.intervals.keys()


def test_one_row():
    model, _ = trained(NUMBERS)
    scores = model.evaluate(X[:1], NUMBERS[:1])
    assert scores.undefined["r2"] == "one row alone deviates from no mean"
    assert scores["rmse"] == pytest.approx(abs(NUMBERS[0] - model.predict(X[:1]).values[0]))
    assert scores["rmse_of_mean"] == 0.0
    assert "r2" not in scores


@pytest.mark.filterwarnings("ignore::fuseprop.UnlikeTrainingWarning")
@pytest.mark.parametrize("targets", [NUMBERS, THREE, LABELS], ids=["numbers", "classes", "labels"])
def test_predictions_that_are_not_finite_have_no_scores(targets):
    model, _ = trained(targets, activation="relu")
    model.network.set_weights([(1e30 * weights, bias) for weights, bias in model.network.weights()])
    rows = model.encode_targets(Table.of(X[:4], targets[:4]))
    scores = model.scores_of(np.full((4, 3), 1e20, "f4"), rows)
    assert set(scores) <= {"loss", "baseline"}
    assert (
        scores.undefined.get("rmse", scores.undefined.get("f1")) == "what the network predicts is nan or inf"
    )
    assert not scores.intervals


def test_rows_that_steered_the_training_have_no_intervals():
    model, report = trained(TWO)
    assert not report.train.intervals
    assert not report.validation.intervals
    assert report.test.intervals
    table = Table.of(X, TWO)
    inputs, targets = model.encode_inputs(table), model.encode_targets(table)
    assert model.scores_of(inputs, targets).intervals == model.evaluate(table).intervals
    assert not model.scores_of(inputs, targets, intervals=False).intervals


def test_scores_are_copied_and_pickled_whole():
    scores = trained(TWO)[1].test
    for again in (copy.deepcopy(scores), pickle.loads(pickle.dumps(scores))):
        assert isinstance(again, Scores)
        assert again == scores
        assert again.intervals == scores.intervals
        np.testing.assert_array_equal(again.confusion.counts, scores.confusion.counts)
