"""Bins of quantities: their edges, the features by a plain loop, their names, and what is refused."""

import math
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseprop import Table
from fuseprop.data.bins import MOST_BINS, Bins
from fuseprop.data.column import Column
from fuseprop.data.encoder import Encoder

NAN = np.nan


def numbers(**columns):
    """A table of columns of numbers."""
    cells = np.array(list(columns.values()), np.float64).T.copy()
    return Table(cells, None, tuple(map(Column, columns)), ())


def edges_by_hand(learned, most):
    """The edges of the bins of values, of which some may be nan, by counting."""
    known = sorted(value for value in learned if not math.isnan(value))
    different = sorted(set(known))
    if len(different) <= most + 1:
        return different if len(different) > 2 else []
    edges = {known[0]}
    for i in range(1, most + 1):
        edges.add(next(v for v in different if sum(k <= v for k in known) * most >= i * len(known)))
    return sorted(edges) if len(edges) > 2 else []


def features_by_hand(edges, learned, asked):
    """The features (n, t) of asked values, one after the other."""

    def parts(value):
        pairs = pairwise(edges)
        return [min(max((value - low) / (high - low), 0.0), 1.0) for low, high in pairs]

    known = [parts(value) for value in learned if not math.isnan(value)]
    means = [math.fsum(column) / len(known) for column in zip(*known, strict=True)]
    return np.array(
        [
            [
                0.0 if math.isnan(value) else part - mean
                for part, mean in zip(parts(value), means, strict=True)
            ]
            for value in asked
        ]
    )


def columns_of(seed, n=400):
    """Columns of numbers of many kinds."""
    rng = np.random.default_rng(seed)
    columns = {
        "normal": rng.normal(3.0, 2.0, n),
        "tails": rng.lognormal(0.0, 3.0, n),
        "few": rng.integers(0, 5, n),
        "counts": rng.poisson(3.0, n),
        "zeros": np.maximum(rng.normal(-1.0, 1.0, n), 0.0),
        "holes": np.where(rng.random(n) < 0.2, NAN, rng.random(n)),
        "large": 1e300 * rng.normal(size=n),
    }
    return {name: np.asarray(values, np.float64) for name, values in columns.items()}


@pytest.mark.parametrize("most", [1, 2, 4, 16, 50])
@pytest.mark.parametrize("clip", [False, True])
def test_features_are_those_of_a_plain_loop(most, clip):
    learned, asked = columns_of(most), columns_of(most + 100)
    encoder = Encoder.fit(numbers(**learned), bins=most, clip=clip)
    plain = Encoder.fit(numbers(**learned), clip=clip)
    made = dict(zip(encoder.feature_names, encoder.encode(numbers(**asked)).T, strict=True))
    same = dict(zip(plain.feature_names, plain.encode(numbers(**asked)).T, strict=True))
    for j, name in enumerate(learned):
        edges = edges_by_hand(learned[name], most)
        assert len(edges) <= most + 1 or len(edges) == 0
        bins = [feature for feature in made if feature.startswith(f"{name} ") and ".." in feature]
        assert len(bins) == max(len(edges) - 1, 0)
        assert list(encoder.bins[j].edges if j in encoder.bins else ()) == edges
        if edges:
            expected = features_by_hand(edges, learned[name], asked[name])
            np.testing.assert_allclose(np.array([made[one] for one in bins]).T, expected, atol=1e-12)
        np.testing.assert_array_equal(made[name], same[name])
    assert most == 1 or any(j in encoder.bins for j in range(len(learned)))
    np.testing.assert_array_equal(made["holes missing"], same["holes missing"])


def test_edges_are_quantiles_that_are_values():
    assert Bins.of(np.arange(100.0), 4).edges == (0.0, 24.0, 49.0, 74.0, 99.0)
    assert Bins.of(np.array([7.0] * 70 + [*range(30)]), 4).edges == (0.0, 7.0, 29.0)


def test_few_different_values_are_the_edges_themselves():
    values = np.array([1.0] * 90 + [2.0, 5.0, 9.0])
    assert Bins.of(values, 4).edges == (1.0, 2.0, 5.0, 9.0)
    assert Bins.of(values, 3).edges == (1.0, 2.0, 5.0, 9.0)
    assert Bins.of(values, 2) is None, "nine of ten are the same: one bin would be left"


def test_columns_without_three_different_values_have_no_bins():
    table = numbers(flag=[0, 1] * 20, same=[7] * 40, rounding=[0.3, 0.1 + 0.2, 0.3 + 1e-16, 0.3 - 6e-17] * 10)
    encoder = Encoder.fit(table, bins=8)
    assert encoder.is_plain
    np.testing.assert_array_equal(encoder.encode(table), Encoder.fit(table).encode(table))


def test_the_features_of_the_rows_learned_from_have_mean_0():
    table = numbers(**columns_of(3))
    encoder = Encoder.fit(table, bins=16)
    made = encoder.encode(table)
    bins = [".." in name for name in encoder.feature_names]
    assert sum(bins) > 50
    np.testing.assert_allclose(made[:, bins].mean(axis=0), 0.0, atol=1e-13)
    gone = np.isnan(table.X[:, 5])
    holes = [name.startswith("holes ") and ".." in name for name in encoder.feature_names]
    assert not made[np.ix_(gone, holes)].any()


def test_other_rows_decide_nothing():
    rows = np.arange(0, 400, 2)
    first = columns_of(5)
    second = {name: np.where(np.arange(400) % 2, 1e5, values) for name, values in first.items()}
    encoders = [Encoder.fit(numbers(**each), rows, bins=8) for each in (first, second)]
    assert encoders[0].bins == encoders[1].bins
    assert encoders[0].bins == Encoder.fit(numbers(**first).take(rows), bins=8).bins


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parts_and_single_rows_are_encoded_as_the_whole(dtype):
    table = numbers(**columns_of(6, n=3000))
    encoder = Encoder.fit(table, bins=16, clip=True)
    whole = encoder.encode(table, dtype)
    assert whole.dtype == dtype
    for rows in (np.array([5]), np.array([2999, 0, 17])):
        np.testing.assert_array_equal(encoder.encode(table, dtype, rows), whole[rows])
        np.testing.assert_array_equal(encoder.encode(table.take(rows), dtype), whole[rows])


def test_bins_stand_beside_the_value_among_the_features_of_the_column():
    table = Table(
        np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 2.0], [0.0, 2.0, NAN], [1.0, 3.0, 3.0]]),
        None,
        (Column("flag", "boolean", ("no", "yes")), Column("age"), Column("size")),
        (),
    )
    encoder = Encoder.fit(table, bins=2)
    assert encoder.feature_names == (
        "flag",
        "age",
        "age 0..1",
        "age 1..3",
        "size",
        "size 1..2",
        "size 2..3",
        "size missing",
    )
    assert [column.name for column, _, _ in encoder.layout.features] == ["flag"] + ["age"] * 3 + ["size"] * 4
    made = encoder.encode(table)
    assert made[:, 0].tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(made[:, 2], np.array([0, 1, 1, 1]) - 0.75)
    np.testing.assert_allclose(made[:, 3], np.array([0, 0, 0.5, 1]) - 0.375)
    np.testing.assert_allclose(made[:, 5], [-2 / 3, 1 / 3, 0, 1 / 3], rtol=1e-12)
    assert made[:, 7].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("edges", "kind", "words"),
    [
        ((18.0, 25.0, 60.5), "number", ["18..25", "25..60.5"]),
        ((0.1, 0.1 + 0.2, 1e9), "number", ["0.1..0.3", "0.3..1e+09"]),
        ((1234567.0, 1234568.0, 1234569.5), "number", ["1234567..1234568", "1234568..1234570"]),
        ((1.0, 1.0 + 2**-52, 2.0), "number", ["1..1.0000000000000002", "1.0000000000000002..2"]),
        ((0.0, 19782.5, 20000.0), "date", ["1970-01-01..2024-02-29", "2024-02-29..2024-10-04"]),
    ],
)
def test_names_have_as_few_digits_as_tell_the_edges(edges, kind, words):
    assert Bins(edges, (0.5,) * (len(edges) - 1)).words(kind) == words


def test_dates_have_bins():
    days = np.array([0.0, 100.0, 19782.5, 20000.0])
    table = Table(days[:, None], None, (Column("when", "date"),), ())
    encoder = Encoder.fit(table, bins=3)
    assert encoder.feature_names[:4] == (
        "when",
        "when 1970-01-01..1970-04-11",
        "when 1970-04-11..2024-02-29",
        "when 2024-02-29..2024-10-04",
    )
    np.testing.assert_allclose(
        encoder.encode(table)[:, 1:4], features_by_hand(days.tolist(), days, days), atol=1e-15
    )
    plain = Encoder.fit(table)
    names = [name for name in encoder.feature_names if ".." not in name]
    assert names == list(plain.feature_names)
    kept = [".." not in name for name in encoder.feature_names]
    np.testing.assert_array_equal(encoder.encode(table)[:, kept], plain.encode(table))


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FINITE, min_size=1, max_size=40), st.integers(1, 9))
def test_any_numbers_are_encoded_between_the_bounds(values, most):
    made = Bins.of(np.array(values), most)
    if made is None:
        return
    assert len(made.means) <= most
    assert set(made.edges) <= set(values)
    table = numbers(a=values)
    encoder = Encoder.fit(table, bins=most)
    assert encoder.bins == {0: made}
    ends = numbers(a=[made.edges[0], made.edges[-1]])
    features = encoder.encode(table)[:, 1:], encoder.encode(ends)[:, 1:]
    assert (np.abs(features[0]) <= 1).all()
    np.testing.assert_allclose(features[0].mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_array_equal(features[1][0], -np.array(made.means))
    np.testing.assert_array_equal(features[1][1], 1 - np.array(made.means))


def test_a_range_beyond_float64_has_no_bins():
    assert Bins.of(np.array([-1.7e308, 0.0, 1.7e308]), 4) is None
    assert Bins.of(np.array([0.0, 5e-324, 1e-323]), 4) is None
    assert Bins.of(np.array([]), 4) is None


@pytest.mark.parametrize("bins", [-1, MOST_BINS + 1, 1.5, True, "4", None])
def test_other_numbers_of_bins_are_refused(bins):
    with pytest.raises(ValueError, match=r"bins must be a whole number from 0, for none, to 1,000, got"):
        Encoder.fit(numbers(a=[1.0, 2.0, 3.0]), bins=bins)


@pytest.mark.parametrize(
    ("edges", "means", "words"),
    [
        ((0.0, 1.0), (0.5,), "bins have 3 to 1,001 edges"),
        ((), (), "bins have 3 to 1,001 edges"),
        (tuple(range(MOST_BINS + 2)), (0.5,) * (MOST_BINS + 1), "bins have 3 to 1,001 edges"),
        ((0.0, 1.0, 1.0), (0.5, 0.5), "in ascending order"),
        ((0.0, 1.0, np.inf), (0.5, 0.5), "finite"),
        ((-1.7e308, 0.0, 1.7e308), (0.5, 0.5), "finite"),
        ((0.0, NAN, 1.0), (0.5, 0.5), "finite"),
        ((0.0, 1.0, 2.0), (0.5,), "a mean from 0 to 1 each"),
        ((0.0, 1.0, 2.0), (0.5, 1.5), "a mean from 0 to 1 each"),
        ((0.0, 1.0, 2.0), (NAN, 0.5), "a mean from 0 to 1 each"),
    ],
)
def test_what_are_no_bins_is_refused(edges, means, words):
    with pytest.raises(ValueError, match=words):
        Bins(edges, means)


def test_encoding_takes_little_memory_beside_its_result():
    table = Table.of(np.random.default_rng(0).random((30_000, 20)))
    encoder = Encoder.fit(table, bins=16)
    tracemalloc.start()
    try:
        made = encoder.encode(table, np.float32)
        assert tracemalloc.get_traced_memory()[1] < made.nbytes + 8_000_000
    finally:
        tracemalloc.stop()
    assert made.shape == (30_000, 340)
