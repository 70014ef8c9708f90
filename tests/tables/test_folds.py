"""Cross-validation: every row is tested once a repeat, and steers nothing in the training that it tests."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

import fuseprop
from fuseprop import DivergenceError, Table
from fuseprop.callbacks import OnEpochEnd
from fuseprop.data import DataError
from fuseprop.model.fitting import Fitting
from fuseprop.model.folds import MOST_REPEATS, CrossValidation, Fold, Folding, cross_validate, deal
from fuseprop.model.intervals import Mean, t_quantile
from fuseprop.model.settings import SettingsError

QUICK = {"epochs": 3, "hidden": (4,), "members": 1, "device": "cpu"}


def shop(n=120, *, classes=True):
    """Numbers with holes, a category, a boolean and a date; the target follows some of them."""
    rng = np.random.default_rng(3)
    income = rng.normal(size=n)
    town = rng.integers(0, 3, n)
    value = income + town + 0.3 * rng.normal(size=n)
    income[rng.random(n) < 0.1] = np.nan
    frame = {
        "income": income,
        "town": np.array(["Ulm", "Bonn", "Kiel"])[town],
        "member": rng.random(n) < 0.4,
        "day": np.datetime64("2024-01-01") + rng.integers(0, 700, n),
        "y": np.where(value > 1, "yes", np.where(value > 0, "maybe", "no")) if classes else value,
    }
    return Table.of(frame, target_names=("y",), numeric=["income"])


def poisoned(table, rows):
    """The table with other features and targets in these rows: turned about, with holes and huge numbers."""
    X, targets = table.X.copy(), table.targets.copy()
    for j, column in enumerate(table.columns):
        X[rows, j] = 1e6 if column.kind in ("number", "date") else X[rows, j][::-1]
    X[rows[::2]] = np.nan
    targets[rows] = np.where(targets[rows] == "yes", "no", "yes") if targets.dtype.kind in "UO" else 1e5
    return replace(table, X=X, targets=targets)


def weights(fitting):
    return [array for layer in fitting.model.network.weights() for array in layer]


@pytest.mark.parametrize("sizes", [(13,), (20, 9, 1), (4, 4, 4)])
@pytest.mark.parametrize("folds", [2, 5, 12])
def test_rows_are_dealt_evenly_and_so_are_those_of_each_class(sizes, folds):
    rows = sum(sizes)
    classes = np.random.default_rng(1).permutation(np.repeat(range(len(sizes)), sizes))
    parts = deal(np.random.default_rng(0), rows, folds, classes if len(sizes) > 1 else None)
    assert sorted(np.concatenate(parts).tolist()) == list(range(rows))
    assert np.ptp([len(part) for part in parts]) <= 1
    for c in range(len(sizes)):
        assert np.ptp([(classes[part] == c).sum() for part in parts]) <= 1
    assert all((np.diff(part) > 0).all() for part in parts)


def test_the_seed_alone_decides_the_folds_and_each_repeat_has_others():
    def parts(**given):
        return [part.tolist() for part in Folding(shop(), 3, 2, **{**QUICK, **given}).parts()]

    first = parts()
    assert parts(hidden=(7,), validation=0.0) == first
    assert parts(seed=1) != first
    assert first[:3] != first[3:]
    assert [part.tolist() for part in Folding(shop(), 3, **QUICK).parts()] == first[:3]


def test_a_repeat_is_dealt_when_it_begins(monkeypatch):
    dealt = []

    def watched(*given):
        dealt.append(given)
        return deal(*given)

    monkeypatch.setattr("fuseprop.model.folds.deal", watched)
    parts = Folding(shop(), 3, MOST_REPEATS, **QUICK).parts()
    dealt.clear()
    for _ in range(4):
        next(parts)
    assert len(dealt) == 2


def test_every_row_is_tested_once_a_repeat_by_what_fitting_makes_of_the_others():
    table = shop()
    made = cross_validate(table, folds=4, repeats=2, seed=5, **QUICK)
    assert [(fold.repeat, fold.number) for fold in made.each] == [
        (r, f) for r in (1, 2) for f in (1, 2, 3, 4)
    ]
    for repeat in (made.each[:4], made.each[4:]):
        assert sorted(np.concatenate([fold.rows for fold in repeat]).tolist()) == list(range(len(table)))
    assert [fold.seed for fold in made.each] == list(range(5, 13))
    fold = made.each[6]
    alone = Fitting(table, test_rows=fold.rows, **{**QUICK, "seed": fold.seed})
    alone.run()
    assert alone.report().test == fold.scores
    assert set(alone.train) | set(alone.validation) == set(range(len(table))) - set(fold.rows)


@pytest.mark.parametrize("classes", [True, False])
def test_rows_that_are_tested_do_not_steer_their_training(classes):
    table = shop(classes=classes)
    for rows in Folding(table, 3, **QUICK).parts():
        clean, dirty = (Fitting(data, test_rows=rows, **QUICK) for data in (table, poisoned(table, rows)))
        for fitting in (clean, dirty):
            fitting.run()
        assert clean.history.validation_loss == dirty.history.validation_loss
        for mine, theirs in zip(weights(clean), weights(dirty), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert clean.report().test != dirty.report().test


@pytest.mark.parametrize("rows", [[], range(120), [0, 0], [-1], [120], [[1, 2]], [0.5], ["a"]])
def test_test_rows_that_are_none_are_refused(rows):
    with pytest.raises(DataError, match="whole numbers from 0 to 119"):
        Fitting(shop(), test_rows=rows, **QUICK)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 24, 49, 500])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_quantiles_of_students_t_are_scipys(degrees, level):
    expected = student.ppf((1 + level) / 2, degrees)
    np.testing.assert_allclose(t_quantile(degrees, level), expected, rtol=1e-12)


def test_intervals_are_those_of_the_corrected_resampled_t():
    scores = [0.8, 0.85, 0.7, 0.9, 0.75]
    made = Mean.of(scores, ratio=0.25)
    half = student.ppf(0.975, 4) * np.std(scores, ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    np.testing.assert_allclose(made.value, 0.8)
    np.testing.assert_allclose(made.interval, (0.8 - half, 0.8 + half))
    assert Mean.of([0.5], 1.0) == Mean(0.5, None, None)


def test_intervals_end_where_scores_do():
    made = of_scores(*({"accuracy": a, "rmse": a, "r2": a, "loss": a} for a in (0.05, 0.95)))
    low, high = made.means["loss"].interval
    assert (low, high) == Mean.of([0.05, 0.95], 1.0).interval
    assert low < 0
    assert high > 1
    expected = {"accuracy": (0.0, 1.0), "rmse": (0.0, high), "r2": (low, 1.0)}
    assert {name: made.means[name].interval for name in expected} == expected


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_means_of_huge_and_tiny_scores_are_those_of_ordinary_ones(size):
    scores = [1.8, 1.85, 1.7]
    made, ordinary = Mean.of([score * size for score in scores], 0.5), Mean.of(scores, 0.5)
    np.testing.assert_allclose(made.interval, np.multiply(ordinary.interval, size), rtol=1e-12)
    np.testing.assert_allclose(
        [made.value, made.deviation], [1.78333333333333 * size, ordinary.deviation * size]
    )
    assert Mean.of([1e308, -1e308], 1.0).interval is None


def of_scores(*scores):
    each = tuple(Fold(1, i, np.arange(3), 0, one, "accuracy", 9, 0.1) for i, one in enumerate(scores))
    return CrossValidation(len(each), 1, "accuracy", each, (), interrupted=False)


def test_means_are_those_of_the_scores_that_all_folds_have():
    made = of_scores({"loss": 1.0, "auc": 0.5}, {"loss": 2.0}, {"loss": 3.0, "f1": 0.2})
    assert list(made.means) == ["loss"]
    assert made.incomplete == ["auc", "f1"]
    assert made.means["loss"] == Mean.of([1.0, 2.0, 3.0], 1 / 2)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"folds": 1}, SettingsError, "at least 2"),
        ({"folds": 2.5}, SettingsError, "folds must be a whole number"),
        ({"repeats": 0}, SettingsError, "repeats must be a whole number"),
        ({"repeats": 10**12}, SettingsError, "repeats must be at most 1000.*Got 1000000000000"),
        ({"test": 0.2}, SettingsError, "Leave out test"),
        ({"test_rows": [1, 2]}, SettingsError, "folds test every row: .* Leave out test_rows"),
        ({"folds": 61}, DataError, "120 rows, too few for 61 folds of 2"),
        ({"seed": -1}, SettingsError, "seed"),
        ({"hiden": 3}, TypeError, "hidden"),
    ],
)
def test_what_gives_no_folds_is_refused(given, error, said):
    with pytest.raises(error, match=said):
        cross_validate(shop(classes=False), **{**QUICK, **given})


def test_a_class_of_a_single_row_is_told():
    table = shop()
    targets = table.targets.copy()
    targets[7] = "never"
    made = cross_validate(replace(table, targets=targets), folds=2, **QUICK)
    assert made.notes == ("classes of a single row, which is never learned from where it is tested: never",)
    assert not Folding(table, 2, **QUICK).notes


def test_ctrl_c_leaves_the_folds_that_are_done():
    def interrupt_in(training):
        epochs = []

        def interrupt(_):
            epochs.append(1)
            if len(epochs) > 3 * (training - 1):
                raise KeyboardInterrupt

        return Folding(shop(), 3, **QUICK).run(callbacks=[OnEpochEnd(interrupt)])

    with pytest.warns(UserWarning, match="training interrupted"):
        made = interrupt_in(3)
    assert made.interrupted
    assert [fold.number for fold in made.each] == [1, 2]
    with pytest.warns(UserWarning, match="training interrupted"), pytest.raises(KeyboardInterrupt):
        interrupt_in(1)


def test_divergence_is_told_with_the_fold():
    with pytest.raises(DivergenceError) as caught:
        cross_validate(shop(classes=False), folds=2, learning_rate=1e30, **QUICK)
    assert caught.value.__notes__ == ["That was in repeat 1, fold 1."]


def test_cross_validate_takes_what_train_takes_and_tells_its_progress(capsys):
    frame = {"a": list(range(40)), "b": ["x", "y"] * 20, "y": [0.5 * i for i in range(40)]}
    made = fuseprop.cross_validate(frame, "y", folds=2, categorical=["b"], progress=True, **QUICK)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(":")[0] for line in err.splitlines()] == ["repeat 1, fold 1", "repeat 1, fold 2"]
    assert set(made.means) >= {"loss", "r2"}
    assert fuseprop.cross_validate("line", folds=2, **QUICK).metric == "r2"
    assert capsys.readouterr() == ("", "")


def test_the_loss_is_cut_at_0_where_it_cannot_be_below():
    scores = [{"loss": value, "log_loss": value} for value in (0.001, 0.9)]
    each = tuple(Fold(1, i, np.arange(2), i, score, "accuracy", 1, 0.1) for i, score in enumerate(scores, 1))
    free = CrossValidation(2, 1, "accuracy", each, (), False)
    cut = CrossValidation(2, 1, "accuracy", each, (), False, (0.0, float("inf")))
    assert free.means["loss"].interval[0] < 0
    assert cut.means["loss"] == cut.means["log_loss"]
    made = fuseprop.cross_validate("iris", folds=2, epochs=1, members=1, device="cpu")
    assert made.loss_range == (0.0, float("inf"))
