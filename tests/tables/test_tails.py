"""Quantities with heavy tails: which, how they are scaled and clipped; others stay in bits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseprop import Table
from fuseprop.data.column import Column
from fuseprop.data.encoder import Encoder
from fuseprop.data.tails import BOUND, HEAVY, SATURATED, clipped_smoothly

NAN = np.nan


def numbers(**columns):
    """A table of columns of numbers."""
    cells = np.array(list(columns.values()), np.float64).T.copy()
    return Table(cells, None, tuple(map(Column, columns)), ())


def by_hand(learned, asked):
    """The features of one column with heavy tails, value by value."""
    known = sorted(value for value in learned if not math.isnan(value))

    def quantile(share):
        place = share * (len(known) - 1)
        low = math.floor(place)
        high = min(low + 1, len(known) - 1)
        return known[low] + (known[high] - known[low]) * (place - low)

    mean = math.fsum(known) / len(known)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / len(known))
    assert max(abs(value - mean) for value in known) > 6 * deviation
    spread = (quantile(0.75) - quantile(0.25)) / 1.349 or deviation
    made = []
    for value in asked:
        z = 0.0 if math.isnan(value) else (value - quantile(0.5)) / spread
        made.append(z / math.sqrt(1 + (z / 3) ** 2))
    return made


def heavy(seed, n=1500, missing=0.1):
    rng = np.random.default_rng(seed)
    values = np.round(rng.lognormal(1.0, 1.5, n), 3)
    values[0] = 5000.0
    values[rng.random(n) < missing] = NAN
    values[0] = 5000.0
    return values


@pytest.mark.parametrize("seed", range(4))
def test_heavy_tails_are_scaled_by_quartiles_and_clipped_smoothly(seed):
    learned, asked = heavy(seed), heavy(seed + 50)
    encoder = Encoder.fit(numbers(a=learned, b=np.arange(1500)), clip=True)
    made = encoder.encode(numbers(a=asked, b=np.arange(1500)))
    assert encoder.feature_names == ("a", "a missing", "b")
    np.testing.assert_allclose(made[:, 0], by_hand(learned, asked), rtol=1e-11, atol=1e-14)
    assert np.abs(made[:, 0]).max() <= BOUND
    assert made[np.isnan(asked), 0].tolist() == [0.0] * int(np.isnan(asked).sum())


def test_without_quartiles_the_deviation_scales():
    values = np.zeros(200)
    values[:20] = np.linspace(1.0, 50.0, 20) ** 2
    encoder = Encoder.fit(numbers(a=values), clip=True)
    assert list(encoder.tails) == [0]
    assert (encoder.tails[0].center, encoder.tails[0].spread) == (0.0, encoder.scaling.scale[0])
    np.testing.assert_allclose(encoder.encode(numbers(a=values))[:, 0], by_hand(values, values), rtol=1e-12)


def test_quartiles_that_differ_by_rounding_are_the_same():
    values = np.full(100, 0.3)
    values[::2], values[0] = 0.1 + 0.2, 9.0
    (tails,) = Encoder.fit(numbers(a=values), clip=True).tails.values()
    assert tails.spread > 0.5


def test_dates_may_have_heavy_tails():
    days = np.arange(20_000.0, 20_100.0)
    days[7] = -700_000.0
    table = Table(days[:, None], None, (Column("when", "date"),), ())
    made = dict(zip((e := Encoder.fit(table, clip=True)).feature_names, e.encode(table).T, strict=True))
    np.testing.assert_allclose(made["when"], by_hand(days, days), rtol=1e-12)
    plain = dict(zip((e := Encoder.fit(table)).feature_names, e.encode(table).T, strict=True))
    assert set(made) == set(plain) > {"when month sin"}
    np.testing.assert_array_equal(made["when month sin"], plain["when month sin"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_columns_stay_as_they_are_in_bits(dtype):
    rng = np.random.default_rng(0)
    others = {"a": rng.normal(5.0, 2.0, 1500), "b": rng.random(1500), "c": np.arange(1500) % 3.0}
    others["a"][3] = NAN
    alone = numbers(**others)
    assert Encoder.fit(alone, clip=True).tails == {}
    together = numbers(heavy=heavy(1), **others)
    for table in (alone, together):
        clipped, plain = Encoder.fit(table, clip=True), Encoder.fit(table)
        made, expected = clipped.encode(table, dtype), plain.encode(table, dtype)
        same = [name != "heavy" for name in plain.feature_names]
        assert clipped.feature_names == plain.feature_names
        np.testing.assert_array_equal(made[:, same], expected[:, same])
        np.testing.assert_array_equal(clipped.scaling.mean, plain.scaling.mean)
    assert Encoder.fit(numbers(a=[1.0, 2.0]), clip=True).is_plain


def test_a_value_of_more_than_six_deviations_makes_tails_heavy():
    # One of n values that differs from the others is sqrt(n - 1) deviations from the mean.
    assert HEAVY == 6.0
    for n, is_heavy in ((36, False), (39, True)):
        for sign in (1.0, -1.0):
            values = np.zeros(n)
            values[n // 2] = sign
            assert bool(Encoder.fit(numbers(a=values), clip=True).tails) is is_heavy


def test_rows_that_are_not_learned_from_decide_nothing():
    values = np.tile(np.arange(10.0), 10)
    far = values.copy()
    far[50:] *= 1e6
    rows = np.arange(50)
    first, second = (Encoder.fit(numbers(a=each), rows, clip=True) for each in (values, far))
    assert first.tails == second.tails == {}
    far[3] = 1e5
    first = Encoder.fit(numbers(a=far), rows, clip=True)
    far[70] = NAN
    assert first.tails == Encoder.fit(numbers(a=far), rows, clip=True).tails != {}


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=30))
def test_the_clipped_value_grows_with_the_value_and_has_a_bound(values):
    z = np.sort(np.array(values))
    made = clipped_smoothly(z)
    assert (np.abs(made) <= BOUND).all()
    assert (np.diff(made) >= 0).all()
    np.testing.assert_array_equal(made, -clipped_smoothly(-z))


def test_the_value_can_be_told_from_the_clipped_one():
    z = np.concatenate([-np.logspace(-300, 3, 500), np.logspace(-300, 3, 500)])
    made = clipped_smoothly(z)
    np.testing.assert_allclose(made / np.sqrt((1 - made / 3) * (1 + made / 3)), z, rtol=1e-9)
    assert clipped_smoothly(np.array([SATURATED, 1e308, np.inf])).tolist() == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_values_are_clipped_and_not_refused(dtype):
    values = np.linspace(0.0, 1.0, 100)
    values[50] = 1.7e308
    encoder = Encoder.fit(numbers(a=values), clip=True)
    asked = numbers(a=[1.79e308, -1.79e308, 1e200, encoder.tails[0].center])
    made = encoder.encode(asked, dtype)
    assert made[:, 0].tolist() == [3.0, -3.0, 3.0, 0.0]


def test_a_note_names_the_columns():
    columns = {name: heavy(i, missing=0.0) for i, name in enumerate("abcdefg")}
    (note,) = Encoder.fit(numbers(**columns), clip=True).notes
    assert note == ("a, b, c, d, e and 2 more: a few values far from most others, which are clipped smoothly")


def test_clip_is_true_or_false():
    with pytest.raises(TypeError, match="clip must be True or False, got 1"):
        Encoder.fit(numbers(a=[1.0, 2.0]), clip=1)
