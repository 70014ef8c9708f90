"""What is measured of rows that processes share is that of all rows, however they are cut."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from launching import launched
from threads import in_threads, outcomes

from fuseprop import Table
from fuseprop.data import DataError
from fuseprop.data.bins import Bins
from fuseprop.data.column import Column
from fuseprop.data.encoder import Encoder
from fuseprop.data.scaling import Standardizer
from fuseprop.data.seen import Seen
from fuseprop.data.tasks import make_task
from fuseprop.formulas.losses import (
    half_poisson_deviance,
    half_squared_error,
    mean_absolute_error,
    quantile,
)
from fuseprop.layers.dense import Dense
from fuseprop.layers.targets import Targets
from fuseprop.metrics import make_metric, weighted_mean
from fuseprop.metrics.means import weighted_quantile
from fuseprop.model.class_weights import weights_by_class
from fuseprop.world import ALONE, Elsewhere
from fuseprop.world.quantiles import median, quantile_by_weight, quantiles, ranked

CASES = range(12)
FEW = 50 * np.finfo(np.float64).eps
"""Relative differences of sums in another order."""


def cuts_of(rng, count, size):
    """Where shares of `count` rows end, at random places; some shares are empty."""
    ends = rng.integers(0, count + 1, size - 1)
    ends[rng.random(size - 1) < 0.3] = 0
    return [0, *np.sort(ends).tolist(), count]


def shared(count, rng, function, least=1):
    """What `function(world, slice)` returns in each of 1 to 4 processes that share rows, all alike or not."""
    size = int(rng.integers(least, 5))
    cuts = cuts_of(rng, count, size)
    return in_threads(size, lambda world: function(world, slice(cuts[world.rank], cuts[world.rank + 1])))


def random_values(rng, count):
    """Numbers of one of many kinds: ties, few values, both signs, all sizes, heavy tails."""
    kinds = [
        lambda: rng.normal(size=count),
        lambda: rng.integers(-3, 4, count).astype(float),
        lambda: rng.standard_cauchy(count) * 10.0 ** rng.integers(-200, 200, count),
        lambda: np.where(rng.random(count) < 0.8, 0.0, rng.exponential(size=count)),
        lambda: np.copysign(np.zeros(count), rng.normal(size=count)),
        lambda: 5e-324 * rng.integers(-9, 9, count),
        lambda: 1e6 + rng.integers(0, 2000, count) / 8,
        lambda: np.full(count, 7.25),
    ]
    return kinds[rng.integers(len(kinds))]()


def random_table(rng):
    """A table of columns of all kinds, with missing values, and rows of it to learn from."""
    count = int(rng.integers(3, 400))
    levels = tuple(f"c{i}" for i in range(rng.integers(1, 60)))
    made = []
    for i in range(8):
        kind = ("number", "number", "number", "category", "boolean", "date", "date", "number")[i]
        if kind == "number":
            values, names = random_values(rng, count), ()
        elif kind == "category":
            values, names = np.floor(len(levels) * rng.random(count) ** 3), levels
        elif kind == "boolean":
            values, names = rng.integers(0, rng.integers(1, 3), count).astype(float), ("no", "yes")
        else:
            values, names = (
                rng.integers(-1000, 20000) + np.floor(rng.random(count) * 10 ** rng.integers(5)),
                (),
            )
            values = values + (rng.random(count) if rng.random() < 0.5 else 0.375)
        if rng.random() < 0.5:
            values[rng.random(count) < rng.random()] = np.nan
        if rng.random() < 0.1:
            values[:] = np.nan
        made.append((Column(f"x{i}", kind, names), values))
    columns, cells = zip(*made, strict=True)
    table = Table(np.array(cells).T.copy(), None, columns, ())
    rows = np.flatnonzero(rng.random(count) < 0.7)
    return table, rows if len(rows) and rng.random() < 0.5 else np.arange(count)


def own_rows(table, rows, world, share):
    """A process's share of a table, and those of the rows that lie in it, by their numbers there."""
    mine = rows[(rows >= share.start) & (rows < share.stop)] - share.start
    return replace(table.take(np.arange(share.start, share.stop)), world=world), mine


def assert_same(one, other):
    """Means and deviations agree but for rounding, and all else is the same."""
    assert one.columns == other.columns
    for name in ("used", "indicated"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("own", "cycles", "missing"):
        assert getattr(one, name) == getattr(other, name)
    size = np.abs(other.scaling.mean) + other.scaling.scale
    assert (np.abs(one.scaling.mean - other.scaling.mean) <= FEW * size).all()
    np.testing.assert_allclose(one.scaling.scale, other.scaling.scale, rtol=1e-9)
    assert one.tails.keys() == other.tails.keys()
    for j, tails in one.tails.items():
        assert tails.center == other.tails[j].center
        np.testing.assert_allclose(tails.spread, other.tails[j].spread, rtol=FEW)
    assert one.bins.keys() == other.bins.keys()
    for j, bins in one.bins.items():
        assert bins.edges == other.bins[j].edges
        np.testing.assert_allclose(bins.means, other.bins[j].means, atol=FEW)


@pytest.mark.parametrize("seed", CASES)
def test_an_encoder_is_that_of_all_rows(seed):
    rng = np.random.default_rng(seed)
    for _ in range(8):
        table, rows = random_table(rng)
        options = {"clip": bool(rng.integers(2)), "bins": int(rng.choice([0, 2, 5, 64]))}
        expected = Encoder.fit(table, rows, **options)
        limits = Seen.of_table(table, rows)

        def fit(world, share, table=table, rows=rows, options=options):
            own, mine = own_rows(table, rows, world, share)
            encoder = Encoder.fit(own, mine, **options)
            return encoder, Seen.of_table(own, mine), encoder.encode(own, rows=mine)

        made = shared(len(table), rng, fit)
        for encoder, seen, _ in made:
            assert_same(encoder, expected)
            np.testing.assert_array_equal([seen.low, seen.high], [limits.low, limits.high])
        encoded = np.concatenate([each for *_, each in made])
        np.testing.assert_array_equal(encoded, made[0][0].encode(table, rows=rows))


@pytest.mark.parametrize("seed", CASES)
def test_order_statistics_are_those_of_all_values(seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        values = random_values(rng, int(rng.integers(1, 300)))
        ranks = rng.integers(0, len(values), 7)
        q = np.concatenate([rng.random(5), [0.0, 0.5, 1.0]])

        def ask(world, share, values=values, ranks=ranks, q=q):
            own = values[share]
            return ranked(world, np.sort(own), ranks), quantiles(world, own, q), median(world, own)

        for found_ranked, found_quantiles, found_median in shared(len(values), rng, ask, least=2):
            np.testing.assert_array_equal(found_ranked, np.sort(values)[ranks])
            np.testing.assert_array_equal(found_quantiles, np.quantile(values, q))
            assert found_median == np.median(values)


@pytest.mark.parametrize("whole", [True, False])
def test_weighted_quantiles_are_those_of_all_values(whole):
    rng = np.random.default_rng(whole)
    for _ in range(40):
        count = int(rng.integers(1, 300))
        values = random_values(rng, count)
        weights = (
            rng.integers(0, 4, count) / 8 if whole else rng.random(count) * 10.0 ** rng.integers(-300, 300)
        )
        weights[rng.integers(count)] += weights.max() or 1.0
        q = float(rng.choice([0.5, 0.25, rng.uniform(0.01, 0.99)]))
        expected = quantile_by_weight(ALONE, values, weights, q)
        assert expected in values

        def ask(world, share, values=values, weights=weights, q=q):
            return quantile_by_weight(world, values[share], weights[share], q)

        found = shared(count, rng, ask, least=2)
        assert found == [expected] * len(found)


def test_weights_whose_sums_round_decide_alike_in_any_number_of_processes():
    values, weights = np.arange(1000.0), np.full(1000, 0.1)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = shared(
            1000,
            rng,
            lambda world, share: quantile_by_weight(world, values[share], weights[share], 0.5),
            least=2,
        )
        assert set(found) == {499.0}


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_bins_where_few_values_differ_and_where_many_do(count):
    rng = np.random.default_rng(count)
    for most in (2, 3, 6, 50):
        values = rng.integers(0, most + 2, count) - 1.5
        expected = Bins.of(values, most)

        def ask(world, share, values=values, most=most):
            return Bins.of(values[share], most, world)

        for made in shared(count, rng, ask, least=2):
            assert (made is None) == (expected is None)
            assert made is None or made.edges == expected.edges


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "loss", [half_squared_error(), mean_absolute_error(), quantile(q=0.1), half_poisson_deviance()]
)
def test_the_constants_of_metrics_are_those_of_all_targets(loss, weighted):
    rng = np.random.default_rng(3)
    for outputs in (1, 3):
        for _ in range(5):
            count = int(rng.integers(2, 200))
            values = np.abs(random_values(rng, count * outputs).reshape(count, outputs) % 1.0)
            weights = rng.integers(0, 4, count) + 1.0 * (np.arange(count) == 1) if weighted else None
            last = Dense(4, outputs, "identity")

            def make(world, share, values=values, weights=weights, last=last):
                own = None if weights is None else weights[share]
                metric = make_metric(None, loss, last, Targets(values[share], None), own, world)
                return type(metric), metric.__dict__, weighted_mean(values[share, 0], own, world)

            kind, expected, mean = make(ALONE, slice(None))
            assert mean == np.average(values[:, 0], weights=weights)
            for found_kind, found, found_mean in shared(count, rng, make):
                assert found_kind is kind
                np.testing.assert_allclose(found_mean, mean, rtol=FEW)
                assert found.keys() == expected.keys()
                for key, value in expected.items():
                    np.testing.assert_allclose(found[key], value, rtol=FEW, atol=1e-300)


@pytest.mark.parametrize("q", [0.5, 0.3])
def test_quantiles_of_targets_without_weights_are_numpy_s(q):
    rng = np.random.default_rng(8)
    for _ in range(10):
        values = random_values(rng, 2 * int(rng.integers(1, 100))).reshape(-1, 2)
        expected = np.median(values, axis=0) if q == 0.5 else np.quantile(values, q, axis=0)

        def ask(world, share, values=values):
            return weighted_quantile(values[share], q, None, world)

        for found in shared(len(values), rng, ask):
            np.testing.assert_array_equal(found, expected)


def test_class_weights_count_the_rows_of_all():
    rng = np.random.default_rng(1)
    task = task_of_classes(4)
    labels = rng.integers(0, 3, 50)
    expected = weights_by_class("balanced", task, labels)
    for found in shared(
        50, rng, lambda world, share: weights_by_class("balanced", task, labels[share], world)
    ):
        np.testing.assert_array_equal(found, expected)


def task_of_classes(count):
    """A task of so many exclusive classes."""
    targets = np.array([[f"k{i % count}"] for i in range(3 * count)])
    return make_task(Table(np.zeros((3 * count, 1)), targets, (Column("x"),), ("y",)), None)


def test_standardized_targets_are_those_of_all_rows():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(90, 1)) * 1e300
    expected = Standardizer.fit(X)
    for made in shared(90, rng, lambda world, share: Standardizer.fit(X[share], world=world), least=3):
        np.testing.assert_allclose([made.mean, made.scale], [expected.mean, expected.scale], rtol=FEW)


@pytest.mark.parametrize("missing", [True, False], ids=["a missing value", "a number that is too large"])
def test_what_is_refused_in_one_process_s_rows_is_refused_in_all(missing):
    def ask(world):
        cells = np.arange(12.0).reshape(6, 2)
        own = Table(cells, None, (Column("a"), Column("b")), (), "t.csv", world=world)
        encoder = Encoder.fit(own, missing="refuse")
        if world.rank == 1:
            cells[2, 1] = np.nan if missing else 1e300
        if missing:
            encoder.check_missing(own)
        encoder.encode(own, np.float32)

    first, own, last = outcomes(3, ask)
    assert isinstance(own, DataError)
    assert str(own).startswith("t.csv: row 3, column 'b'")
    for other in (first, last):
        assert isinstance(other, Elsewhere)
        assert other.rank == 1
        assert str(own) in str(other)


def test_columns_that_are_the_same_in_all_rows_of_all_are_refused_by_all():
    def ask(world):
        own = Table(
            np.full((world.rank, 1), 2.0), None, (Column("a", "boolean", ("no", "yes")),), (), world=world
        )
        return Encoder.fit(own)

    found = outcomes(3, ask)
    assert {type(each) for each in found} == {DataError}
    assert len({str(each) for each in found}) == 1
    assert "3 rows" in str(found[0])


def test_a_column_that_is_the_same_in_each_process_but_not_in_all_is_used():
    def ask(world):
        cells = np.full((3, 1), float(world.rank))
        return Encoder.fit(Table(cells, None, (Column("a", "boolean", ("no", "yes")),), (), world=world))

    for encoder in in_threads(2, ask):
        assert encoder.used.tolist() == [True]
        assert encoder.scaling.mean.tolist() == [0.5]


def test_over_mpi_an_encoder_is_that_of_all_rows():
    done = launched(3, Path(__file__).with_name("measured_over_mpi.py"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "3 processes agree with one\n"
