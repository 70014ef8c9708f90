"""Permutation importance by column: against permuted tables, all pairs of rows, closed forms."""

import numpy as np
import pandas as pd
import pytest

import fuseprop
from fuseprop import Dense, Network, Table, UnlikeTrainingWarning
from fuseprop.data import DataError
from fuseprop.data.column import Column
from fuseprop.data.encoder import Encoder
from fuseprop.data.tasks import Task
from fuseprop.model import Importance, Model
from fuseprop.model.association import associations

ROWS = 40


def shop(rows=ROWS):
    """Return columns of every kind, some cells missing, and three targets."""
    rng = np.random.default_rng(3)
    income = rng.uniform(1000, 5000, rows)
    city = np.array(["Ulm", "Bonn", "Essen", "Jena"])[rng.integers(0, 4, rows)]
    member = rng.integers(0, 2, rows).astype(bool)
    income[::9] = np.nan
    return pd.DataFrame(
        {
            "income": income,
            "city": city,
            "member": member,
            "since": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), "D"),
            "bought": np.where((np.nan_to_num(income) > 3000) ^ member, "yes", "no"),
            "segment": np.array(["a", "b", "c"])[rng.integers(0, 3, rows)],
            "spent": np.nan_to_num(income) * 0.01 + member * 20 + rng.normal(size=rows),
        }
    )


FEATURES = ["income", "city", "member", "since"]


def trained(target, **settings):
    return fuseprop.train(
        shop(), target, features=FEATURES, epochs=4, dtype="float64", device="cpu", **settings
    )[0]


def permuted_cells(model, table, repeats, seed):
    """Return scores of the rows and, by column, of each repeat: the cells of a table go to other rows."""

    def scores_of(table):
        return model.network.evaluate(model.encode_inputs(table), model.encode_targets(table))

    rng = np.random.default_rng(seed)
    table = table.take(rng.permutation(len(table)))
    shifts = rng.choice(len(table) - 1, repeats, replace=False) + 1
    scores = {}
    for j, name in enumerate(model.feature_names):
        scores[name] = []
        for shift in shifts:
            X = table.X.copy()
            X[:, j] = np.roll(X[:, j], -shift)
            permuted = Table(X, table.targets, table.columns, table.target_names)
            scores[name].append(scores_of(permuted))
    return scores_of(table), scores


@pytest.mark.parametrize(
    ("target", "metric", "settings"),
    [
        ("bought", "accuracy", {}),
        ("segment", "accuracy", {}),
        ("spent", "r2", {}),
        ("spent", "d2", {"loss": "mean_absolute_error"}),
        ("bought", "accuracy", {"loss": "hinge"}),
    ],
)
def test_it_is_the_mean_change_of_the_scores_where_cells_are_permuted(target, metric, settings):
    model = trained(target, **settings)
    table = model.table(shop(), target_names=(target,))
    found = model.explain(shop(), repeats=3, seed=7)
    intact, permuted = permuted_cells(model, table, 3, 7)
    assert found.metric == metric
    assert found.scores == pytest.approx({"loss": intact["loss"], metric: intact[metric]}, rel=1e-12)
    assert {column.name for column in found.columns} == set(FEATURES)
    for column in found.columns:
        for effect, name, sign in ((column.loss, "loss", 1), (column.metric, metric, -1)):
            changes = [sign * (scores[name] - intact[name]) for scores in permuted[column.name]]
            assert effect.mean == pytest.approx(np.mean(changes), rel=1e-9, abs=1e-12)
            assert effect.deviation == pytest.approx(np.std(changes, ddof=1), rel=1e-6, abs=1e-12)
    rises = [column.loss.mean for column in found.columns]
    assert rises == sorted(rises, reverse=True)
    assert rises[0] > 0


def test_several_labels_and_several_numbers_are_explained_too():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3))
    for targets, metric in (((X[:, :2] > 0).astype(float), "accuracy"), (X[:, :2] * 2, "r2")):
        table = Table.of(X, targets)
        model, _ = fuseprop.train(table, dtype="float64", device="cpu")
        found = model.explain(table, repeats=3, seed=1)
        intact, permuted = permuted_cells(model, table, 3, 1)
        for column in found.columns:
            mean = np.mean([intact[metric] - scores[metric] for scores in permuted[column.name]])
            assert column.metric.mean == pytest.approx(mean, rel=1e-9, abs=1e-12)
        assert found.columns[-1].name == "x3"


def plane(weights, noise=0.0, rows=9):
    """Return a model y = x w, a table whose targets it predicts but for noise, and the residuals."""
    rng = np.random.default_rng(5)
    weights = np.array(weights)
    X = rng.normal(size=(rows, len(weights)))
    residuals = noise * rng.normal(size=rows)
    table = Table.of(X, X @ weights + residuals)
    encoder = Encoder.fit(table)
    layer = Dense(
        len(weights),
        1,
        "identity",
        weights=(weights * encoder.scaling.scale)[:, None],
        bias=[weights @ encoder.scaling.mean],
    )
    network = Network([layer], "mean_squared_error", metric="r2", dtype="float64", device="cpu")
    return Model(network, Task("regression", ("y",)), encoder, None), table, residuals


def test_the_importance_in_a_linear_model_is_twice_the_squared_slope_times_the_variance():
    """Over all pairs of different rows, mean (w (x_j - x_i))^2 = 2 w^2 var(x)."""
    weights = [3.0, -1.0, 0.0]
    model, table, _ = plane(weights)
    found = model.explain(table, repeats=100)
    assert found.repeats == len(table) - 1
    for column in found.columns:
        j = table.feature_names.index(column.name)
        expected = 2 * weights[j] ** 2 * table.X[:, j].var(ddof=1)
        assert column.loss.mean == pytest.approx(expected, rel=1e-12, abs=1e-25)
        assert column.metric.mean == pytest.approx(expected / table.targets.var(), rel=1e-9, abs=1e-12)


def test_the_interval_is_that_of_a_mean_over_pairs():
    """By each row's mean change as the one that gets cells, and as the one that gives them."""
    model, table, residuals = plane([2.0, 1.0], noise=0.5, rows=12)
    found = {column.name: column for column in model.explain(table, repeats=11).columns}
    for j, (name, w) in enumerate((("x1", 2.0), ("x2", 1.0))):
        x = table.X[:, j]
        changes = (residuals[:, None] - w * (x[None, :] - x[:, None])) ** 2 - residuals[:, None] ** 2
        of_rows = (changes.sum(axis=0) + changes.sum(axis=1)) / 11
        mean, margin = changes.sum() / (12 * 11), 1.96 * of_rows.std(ddof=1) / np.sqrt(12)
        loss, metric = found[name].loss, found[name].metric
        assert (loss.mean, loss.low, loss.high) == pytest.approx((mean, mean - margin, mean + margin))
        variance = table.targets.var()
        assert (metric.low, metric.high) == pytest.approx((loss.low / variance, loss.high / variance))


def test_the_interval_of_an_accuracy_is_that_of_its_hits():
    X = np.array([[-2.0], [-1.0], [1.0], [2.0], [3.0]])
    table = Table.of(X, (X[:, 0] > 0).astype(int))
    encoder = Encoder.of_numbers(table.columns, Encoder.fit(table).scaling)
    layer = Dense(
        1, 1, "identity", weights=encoder.scaling.scale[:, None] * 100.0, bias=100.0 * encoder.scaling.mean
    )
    network = Network([layer], "sigmoid_cross_entropy", dtype="float64", device="cpu")
    (column,) = (
        Model(network, Task("binary", ("y",), (0, 1)), encoder, None).explain(table, repeats=4).columns
    )
    wrong = (X > 0) != (X > 0).T  # a row gets a cell from the other side of 0
    of_rows = (wrong.sum(axis=0) + wrong.sum(axis=1)) / 4
    mean, margin = wrong.sum() / 20, 1.96 * of_rows.std(ddof=1) / np.sqrt(5)
    assert (column.metric.mean, column.metric.low, column.metric.high) == pytest.approx(
        (mean, mean - margin, mean + margin)
    )


@pytest.mark.parametrize("many", [0, np.inf])
def test_what_gives_no_feature_or_has_no_weight_has_none(monkeypatch, many):
    monkeypatch.setattr("fuseprop.model.permuted_rows.MANY", many)
    X = np.array([[1.0, 5.0, 2.0], [2.0, 5.0, 7.0], [4.0, 5.0, 1.0], [8.0, 5.0, 3.0]])
    columns = (Column("used"), Column("same", "category", ("a",)), Column("unused"))
    X[:, 1] = 0.0
    table = Table(X, X[:, :1], columns, ("y",))
    encoder = Encoder.fit(table)
    assert encoder.width == 2
    layer = Dense(2, 1, "identity", weights=[[1.0], [0.0]], bias=[0.0])
    network = Network([layer], "mean_squared_error", dtype="float64", device="cpu")
    found = Model(network, Task("regression", ("y",)), encoder, None).explain(table, repeats=2)
    assert [column.name for column in found.columns] == ["used", "same", "unused"]
    for column in found.columns[1:]:
        for effect in (column.loss, column.metric):
            assert (effect.mean, effect.deviation, effect.low, effect.high) == (0, 0, 0, 0)


def test_a_network_that_reports_the_loss_alone_has_no_metric():
    model, table, _ = plane([1.0, 2.0])
    network = Network(
        model.network.layers, "mean_squared_error", metric="loss", dtype="float64", device="cpu"
    )
    found = Model(network, model.task, model.encoder, None).explain(table)
    assert found.metric == "loss"
    assert list(found.scores) == ["loss"]
    assert [column.metric for column in found.columns] == [None, None]
    assert [column.name for column in found.columns] == ["x2", "x1"]
    assert "falls" not in str(found)


def test_the_seed_draws_the_permutations_and_nothing_else_does():
    model = trained("bought")
    first = model.explain(shop(), seed=1)
    assert model.explain(shop(), seed=1) == first
    assert model.explain(shop(), seed=2) != first


def test_every_kind_of_data_is_explained_alike(tmp_path):
    model, frame = trained("bought"), shop()
    expected = model.explain(frame)
    frame.to_csv(tmp_path / "shop.csv", index=False)
    assert model.explain(tmp_path / "shop.csv") == expected
    assert model.explain(frame[frame.columns[::-1]].assign(other=1)) == expected
    assert model.explain(frame[FEATURES], frame[["bought"]].to_numpy()[:, 0]) == expected


def test_chunks_of_rows_make_no_difference(monkeypatch):
    model = trained("spent")
    expected = model.explain(shop())
    monkeypatch.setattr(type(model.network.backend), "chunk_bytes", 1, raising=False)
    assert model.explain(shop()) == expected


@pytest.mark.parametrize(
    ("target", "settings"),
    [
        ("bought", {}),
        ("segment", {"hidden": (5, 3)}),
        ("spent", {"hidden": ()}),
        ("bought", {"loss": "hinge"}),
    ],
)
def test_behind_the_first_sums_it_is_the_same(monkeypatch, target, settings):
    """The way of networks with far more inputs than units, and the way of all others."""
    model, found = trained(target, **settings), []
    for many in (0, np.inf):
        monkeypatch.setattr("fuseprop.model.permuted_rows.MANY", many)
        found.append(model.explain(shop()))
    first, second = found
    assert first.scores == pytest.approx(second.scores, rel=1e-12)
    for a, b in zip(first.columns, second.columns, strict=True):
        assert a.name == b.name
        for x, y in ((a.loss, b.loss), (a.metric, b.metric)):
            expected = (y.mean, y.deviation, y.low, y.high)
            assert (x.mean, x.deviation, x.low, x.high) == pytest.approx(expected, rel=1e-8, abs=1e-13)


def test_a_single_repeat_has_no_deviation():
    model = trained("bought")
    found = model.explain(shop(), repeats=1)
    assert all(np.isnan(column.loss.deviation) for column in found.columns)
    assert "+-" not in str(found)
    assert "nan" not in str(found)


def test_as_text_it_is_a_table_of_the_columns():
    lines = str(trained("bought").explain(shop(), repeats=4)).splitlines()
    assert lines[0].split("  ")[0] == "column"
    assert "loss rises by" in lines[0]
    assert "accuracy falls by" in lines[0]
    assert {line.split()[0] for line in lines[1:5]} == set(FEATURES)
    assert lines[5].startswith("40 rows, as they are: loss ")
    assert lines[5].endswith("; each column permuted 4 times")
    assert lines[6].startswith("40 rows are few")


def test_names_of_a_file_are_shown_printable():
    effect = trained("bought").explain(shop()).columns[0].loss
    found = Importance(
        (fuseprop.model.importance.ColumnImportance("a\x1b[2J", effect, None),), "loss", {"loss": 1.0}, 9, 1
    )
    assert '"a\\x1b[2J"' in str(found)


def test_few_rows_are_said_to_be_few():
    model, table, _ = plane([1.0, 2.0], rows=99)
    assert model.explain(table).notes[0].startswith("99 rows are few")
    model, table, _ = plane([1.0, 2.0], rows=100)
    assert model.explain(table).notes == ()


def test_two_rows_have_no_intervals():
    model, table, _ = plane([1.0, 2.0], noise=0.5, rows=2)
    found = model.explain(table)
    effects = [effect for column in found.columns for effect in (column.loss, column.metric)]
    assert np.isnan([(effect.low, effect.high) for effect in effects]).all()
    assert np.isfinite([effect.mean for effect in effects]).all()
    assert any(note.startswith("There are no intervals: 2 rows") for note in found.notes)
    lines = str(found).splitlines()
    assert lines[1].split()[2] == "none"
    assert "nan" not in str(found)
    assert all("interval" not in panel.x_label for panel in found.figure("two").panels)
    assert found.plot() is not None
    model, table, _ = plane([1.0, 2.0], noise=0.5, rows=3)
    assert all(column.loss.low < column.loss.high for column in model.explain(table).columns)


def test_columns_that_go_together_are_named():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5))
    X[:, 1] = X[:, 0] + 0.1 * rng.normal(size=400)
    X[:, 4] = X[:, 3] + 0.5 * rng.normal(size=400)
    model, _ = fuseprop.train(Table.of(X, X.sum(axis=1)), epochs=1, bins=250, members=1, device="cpu")
    (note,) = model.explain(Table.of(X, X.sum(axis=1))).notes
    first, second = (np.corrcoef(X[:, i], X[:, j])[0, 1] for i, j in ((0, 1), (3, 4)))
    assert note.endswith(f": x1 and x2 {first:.2f}, x4 and x5 {second:.2f}")
    X[:, 1:] = X[:, :1]
    (note,) = model.explain(Table.of(X, X.sum(axis=1))).notes
    assert note.endswith("x1 and x2 1.00, x1 and x3 1.00, x1 and x4 1.00, and 7 pairs more")


def test_with_very_many_features_it_is_said_that_nothing_was_looked_for():
    X = np.random.default_rng(0).normal(size=(100, 1001))
    table = Table.of(X, X[:, 0])
    model, _ = fuseprop.train(table, epochs=1, hidden=(2,), device="cpu")
    (note,) = model.explain(table, repeats=1).notes
    assert "was not looked for: there are 1,001 features" in note


def one_hot(codes, levels):
    return (np.asarray(codes)[:, None] == np.arange(levels)).astype(float)


def test_the_association_of_numbers_is_their_adjusted_correlation():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2))
    X[:, 1] += X[:, 0]
    r = np.corrcoef(X.T)[0, 1]
    found = associations(X.astype(np.float32), np.array([0, 1]))
    assert found[0, 1] == pytest.approx(np.sqrt(1 - (1 - r**2) * 49 / 48), rel=1e-5)
    assert found[1, 0] == found[0, 1]


def test_the_association_of_categories():
    """1 for the same in other words, near 0 for unrelated ones with many levels, 0 for what is constant."""
    rng = np.random.default_rng(0)
    codes, other = rng.integers(0, 30, (2, 60))
    blocks = [one_hot(codes, 30), one_hot(29 - codes, 30), one_hot(other, 30), np.ones((60, 2))]
    found = associations(np.hstack(blocks), np.array([0, 30, 60, 90]))
    assert found[0, 1] == pytest.approx(1.0)
    assert found[0, 2] < 0.3
    covariance = np.cov(np.hstack([blocks[0], blocks[2]]).T)
    own = [np.linalg.norm(covariance[:30, :30]), np.linalg.norm(covariance[30:, 30:])]
    unadjusted = np.sqrt(np.linalg.norm(covariance[:30, 30:]) ** 2 / np.prod(own))
    assert unadjusted > 0.5
    np.testing.assert_array_equal(found[3], 0.0)


def test_rows_unlike_those_learned_from_are_warned_of():
    model, frame = trained("bought"), shop()
    frame.loc[0, "city"] = "Trier"
    with pytest.warns(UnlikeTrainingWarning, match="Trier"):
        model.explain(frame)


def test_what_cannot_be_explained_is_refused():
    model, frame = trained("bought"), shop()
    with pytest.raises(DataError, match="has 1 row: at least 2 are needed"):
        model.explain(frame[:1])
    with pytest.raises(DataError, match="bought"):
        model.explain(frame[FEATURES])
    with pytest.raises(ValueError, match="repeats must be a whole number of at least 1, got 0"):
        model.explain(frame, repeats=0)
    with pytest.raises(ValueError, match="seed must be"):
        model.explain(frame, seed=-1)
    with pytest.raises(ValueError, match="seed must be"):
        model.explain(frame, seed=True)


def test_a_loss_that_is_not_finite_is_refused():
    model, table, _ = plane([1.0, 2.0])
    weights, bias = model.network.weights()[0]
    model.network.set_weights([(weights * 1e160, bias)])
    with pytest.raises(DataError, match="the loss of these rows is not finite"):
        model.explain(table)
    model.network.set_weights([(np.array([[1e160], [-1e160]]), bias)])
    same = Table.of(np.repeat(table.X[:, :1], 2, axis=1), table.targets)
    with pytest.raises(DataError, match="rows with other rows' cells of 'x1' is not finite"):
        Model(model.network, model.task, Encoder.fit(same), None).explain(same)
