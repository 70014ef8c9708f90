"""Columns of pandas, Polars, PyArrow, NumPy and Python become the same cells, whichever way they are read."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fuseprop.data import DataError, frames
from fuseprop.data.cells import Booleans, Dates, Numbers, Texts
from fuseprop.data.dates import days_of
from fuseprop.data.frames import FrameSource, frame_of
from fuseprop.data.objects import days_since_1970
from fuseprop.data.texts import as_texts

NOON, DAY = datetime.datetime(2020, 1, 1, 12), datetime.date(2020, 1, 1)
BERLIN = "Europe/Berlin"
NUMBERS = Numbers(np.array([1.5, np.nan, -2.0]))
WHOLE = Numbers(np.array([1.0, np.nan, 3.0]))
TRUTHS = Booleans(np.array([1.0, np.nan, 0.0]))
WORDS = Texts(("b", "a b"), np.array([0, -1, 1]))
LONG = Texts(("9007199254740993", "-5"), np.array([0, -1, 1]))
DATES = Dates(np.array([18262.0, np.nan, 18263.5]))
MOMENTS = [datetime.datetime(2020, 1, 1), None, datetime.datetime(2020, 1, 2, 12)]
EARLIER = Dates(DATES.days - 1 / 24)
NOTHING = Texts((), np.array([-1, -1, -1]))
ZONED = pl.Series(MOMENTS).dt.replace_time_zone(BERLIN)
AMOUNTS = [decimal.Decimal("1.50"), None, decimal.Decimal(-2)]

COLUMNS = {
    "python numbers": ([1.5, None, -2], NUMBERS),
    "python nan": ([1.5, float("nan"), np.float32(-2)], NUMBERS),
    "decimals": (AMOUNTS, NUMBERS),
    "numpy float32": (np.array([1.5, np.nan, -2], np.float32), NUMBERS),
    "numpy longdouble": (np.array([1.5, np.nan, -2], np.longdouble), NUMBERS),
    "numpy objects": (np.array([1.5, pd.NA, -2], object), NUMBERS),
    "numpy masked": (np.ma.array([1.5, 9.0, -2], mask=[0, 1, 0]), NUMBERS),
    "numpy int8": (np.array([1, 3, 0], np.int8), Numbers(np.array([1.0, 3.0, 0.0]))),
    "python masked": ([1.5, np.ma.masked, -2], NUMBERS),
    "pandas float": (pd.Series([1.5, np.nan, -2]), NUMBERS),
    "pandas Float64": (pd.Series([1.5, None, -2], dtype="Float64"), NUMBERS),
    "pandas sparse": (pd.Series(pd.arrays.SparseArray([1.5, np.nan, -2])), NUMBERS),
    "pandas arrow decimals": (pd.Series(AMOUNTS, dtype=pd.ArrowDtype(pa.decimal128(5, 2))), NUMBERS),
    "polars float nan": (pl.Series([1.5, float("nan"), -2]), NUMBERS),
    "polars float null": (pl.Series([1.5, None, -2], dtype=pl.Float32), NUMBERS),
    "polars decimals": (pl.Series(AMOUNTS), NUMBERS),
    "arrow float": (pa.chunked_array([[1.5, None], [-2.0]]), NUMBERS),
    "arrow array": (pa.array([1.5, None, -2.0]), NUMBERS),
    "arrow decimals": (pa.chunked_array([AMOUNTS]), NUMBERS),
    "pandas Int64": (pd.Series([1, None, 3], dtype="Int64"), WHOLE),
    "pandas arrow int": (pd.Series([1, None, 3], dtype=pd.ArrowDtype(pa.int32())), WHOLE),
    "polars uint8": (pl.Series([1, None, 3], dtype=pl.UInt8), WHOLE),
    "arrow int": (pa.chunked_array([[1, None, 3]]), WHOLE),
    "python truths": ([True, None, np.False_], TRUTHS),
    "numpy objects of truths": (np.array([True, np.nan, False], object), TRUTHS),
    "numpy bool": (np.array([True, True, False]), Booleans(np.array([1.0, 1.0, 0.0]))),
    "pandas bool": (pd.Series([True, True, False]), Booleans(np.array([1.0, 1.0, 0.0]))),
    "pandas boolean": (pd.Series([True, None, False], dtype="boolean"), TRUTHS),
    "pandas arrow bool": (pd.Series([True, None, False], dtype=pd.ArrowDtype(pa.bool_())), TRUTHS),
    "polars bool": (pl.Series([True, None, False]), TRUTHS),
    "arrow bool": (pa.chunked_array([[True, None, False]]), TRUTHS),
    "python words": ([" b", None, "a b"], WORDS),
    "python words nan": (["b", np.nan, "a b "], WORDS),
    "numpy words": (np.array(["b", None, "a b"], np.dtypes.StringDType(na_object=None)), WORDS),
    "pandas str": (pd.Series(["b", None, " a b"]), WORDS),
    "pandas string": (pd.Series(["b", None, " a b"], dtype="string"), WORDS),
    "pandas objects": (pd.Series(["b", None, " a b"], dtype=object), WORDS),
    "pandas category": (pd.Series(["b", None, "a b"], dtype="category"), WORDS),
    "polars words": (pl.Series([" b", None, "a b"]), WORDS),
    "pandas categories of numbers": (pd.Series([1, None, 3], dtype="category"), WHOLE),
    "pandas categories of truths": (pd.Series(pd.Categorical([True, None, False])), TRUTHS),
    "pandas categories of dates": (pd.Series(pd.Categorical(pd.to_datetime(MOMENTS))), DATES),
    "pandas categories of a mix": (
        pd.Series(pd.Categorical(["b", None, 2])),
        Texts(("b", "2"), np.array([0, -1, 1])),
    ),
    "polars category": (pl.Series(["b", None, "a b"], dtype=pl.Categorical), WORDS),
    "polars enum": (pl.Series(["b", None, "a b"], dtype=pl.Enum(["a b", "unused", "b"])), WORDS),
    "arrow words": (pa.chunked_array([["b", None], ["a b"]]), WORDS),
    "arrow view": (pa.chunked_array([pa.array(["b", None, "a b"], pa.string_view())]), WORDS),
    "arrow dictionary": (pa.chunked_array([pa.array(["b", None, "a b"]).dictionary_encode()]), WORDS),
    "numpy dates": (np.array(["2020-01-01", "NaT", "2020-01-02 12:00"], "M8[s]"), DATES),
    "python dates": (MOMENTS, DATES),
    "python days": ([DAY, pd.NaT, pd.Timestamp("2020-01-02 12:00")], DATES),
    "python zones": ([*pd.to_datetime(MOMENTS).tz_localize(BERLIN)], EARLIER),
    "pandas dates": (pd.Series(MOMENTS), DATES),
    "pandas zones": (pd.Series(MOMENTS).dt.tz_localize(BERLIN), EARLIER),
    "pandas arrow zones": (
        pd.Series(MOMENTS).dt.tz_localize(BERLIN).astype(pd.ArrowDtype(pa.timestamp("us", BERLIN))),
        EARLIER,
    ),
    "pandas arrow days": (
        pd.Series([DAY, None], dtype=pd.ArrowDtype(pa.date32())),
        Dates(np.array([18262.0, np.nan])),
    ),
    "polars dates": (pl.Series(MOMENTS), DATES),
    "polars days": (pl.Series([DAY, None]), Dates(np.array([18262.0, np.nan]))),
    "polars zones": (ZONED, EARLIER),
    "arrow dates": (pa.chunked_array([pa.array(MOMENTS, pa.timestamp("ns"))]), DATES),
    "arrow days": (
        pa.chunked_array([pa.array([DAY, None], pa.date64())]),
        Dates(np.array([18262.0, np.nan])),
    ),
    "arrow zones": (ZONED.to_arrow(), EARLIER),
    "python long": ([2**53 + 1, None, -5], LONG),
    "numpy long": (np.array([2**53 + 1, -5]), Texts(LONG.texts, np.array([0, 1]))),
    "pandas long": (pd.Series([2**53 + 1, None, -5], dtype="Int64"), LONG),
    "polars long": (pl.Series([2**53 + 1, None, -5]), LONG),
    "arrow long": (pa.chunked_array([[2**53 + 1, None, -5]]), LONG),
    "python nothing": ([None, float("nan"), pd.NaT], NOTHING),
    "numpy nothing": (np.full(3, np.nan), NOTHING),
    "pandas nothing": (pd.Series([None] * 3, dtype="Int64"), NOTHING),
    "arrow nothing whole": (pa.chunked_array([pa.nulls(3, pa.int64())]), NOTHING),
    "numpy far dates": (
        np.array(["-300000-01-01", "300000-01-01"], "M8[D]"),
        Dates(np.array([-110292278.0, 108853222.0])),
    ),
    "polars nothing": (pl.Series([None, None, None]), NOTHING),
    "arrow nothing": (pa.chunked_array([pa.nulls(3)]), NOTHING),
    "a mix": (
        pd.Series(["a", 2.0, True, DAY, NOON, decimal.Decimal("1.50"), None, 2.5, 2], dtype=object),
        Texts(
            ("a", "2", "True", "2020-01-01", "2020-01-01 12:00", "1.50", "2.5"),
            np.array([0, 1, 2, 3, 4, 5, -1, 6, 1]),
        ),
    ),
}
"""A column, and its cells."""


def same(one, other):
    assert type(one) is type(other)
    for name in one.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def frames_of(column):
    """The frames of which a column may be part."""
    if isinstance(column, pd.Series):
        return [column.set_axis(range(5, 5 + len(column))).to_frame("c")]
    if isinstance(column, pl.Series):
        return [pl.DataFrame({"c": column})]
    if isinstance(column, pa.ChunkedArray):
        return [pa.table({"c": column})]
    return [] if isinstance(column, list | np.ndarray) else [pa.record_batch({"c": column})]


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("few", [1000, 0], ids=["as objects", "by type"])
def test_a_column_of_any_library(kind, few, monkeypatch):
    monkeypatch.setattr(frames, "FEW", few)
    column, cells = COLUMNS[kind]
    for data in ({"c": column}, *frames_of(column)):
        source = FrameSource(frame_of(data))
        same(source.cells(["c"])["c"], cells)
        same(source.cells(["c"], as_text=["c"])["c"], as_texts(cells))
        assert source.rows == len(column)


def test_texts_of_typed_cells():
    same(as_texts(Numbers(np.array([2.0, 1.5, np.nan, 2.0]))), Texts(("2", "1.5"), np.array([0, 1, -1, 0])))
    same(as_texts(Numbers(np.array([-np.inf, 1e300, 0.1]))), Texts(("-inf", "1e+300", "0.1"), np.arange(3)))
    same(as_texts(TRUTHS), Texts(("True", "False"), np.array([0, -1, 1])))
    same(as_texts(DATES), Texts(("2020-01-01", "2020-01-02 12:00"), np.array([0, -1, 1])))


INTERVALS = pd.Series(pd.cut([1.0, 2.0], 2))
REFUSED = {
    "lists": ([[1], [2]], "lists"),
    "polars lists": (pl.Series([[1], [2]]), "lists"),
    "polars arrays": (pl.Series([[1], [2]], dtype=pl.Array(pl.Int64, 1)), "lists"),
    "arrow lists": (pa.chunked_array([[[1], [2]]]), "lists"),
    "records": ([{"a": 1}, None], "records"),
    "polars records": (pl.Series([{"a": 1}, {"a": 2}]), "records"),
    "arrow records": (pa.chunked_array([[{"a": 1}, {"a": 2}]]), "records"),
    "numpy records": (np.zeros(2, [("p", "f8")]), "records"),
    "bytes": ([b"a", b"b"], "bytes"),
    "numpy bytes": (np.array([b"a", b"b"]), "bytes"),
    "polars bytes": (pl.Series([b"a", b"b"]), "bytes"),
    "arrow bytes": (pa.chunked_array([[b"a", b"b"]]), "bytes"),
    "spans": ([datetime.timedelta(1), None], "spans of time"),
    "numpy spans": (np.array([1, 2], "m8[s]"), "spans of time"),
    "pandas spans": (pd.Series(pd.to_timedelta([1, 2])), "spans of time"),
    "polars spans": (pl.Series([datetime.timedelta(1), None]), "spans of time"),
    "arrow spans": (pa.chunked_array([[datetime.timedelta(1), None]]), "spans of time"),
    "times": ([datetime.time(1), None], "times of day"),
    "polars times": (pl.Series([datetime.time(1), None]), "times of day"),
    "arrow times": (pa.chunked_array([[datetime.time(1), None]]), "times of day"),
    "periods": (pd.Series(pd.period_range("2020", periods=2, freq="D")), "periods"),
    "intervals": (INTERVALS, "objects of the type Interval"),
    "complex": (pd.Series([1j, 2j]), "complex numbers"),
    "polars objects": (pl.Series([object(), object()], dtype=pl.Object), "objects of the type object"),
    "infinite": ([1.0, np.inf], "inf in row 2"),
    "numpy infinite": (np.array([1.0, -np.inf]), "-inf in row 2"),
    "signaling": ([decimal.Decimal("sNaN"), 1], "no float64 can hold"),
    "too large": ([1, 10**400], "no float64 can hold"),
    "a matrix": (np.zeros((2, 1)), r"must have shape \(rows,\), got \(2, 1\)"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("few", [1000, 0], ids=["as objects", "by type"])
def test_what_no_cell_can_hold_is_refused_by_name(kind, few, monkeypatch):
    monkeypatch.setattr(frames, "FEW", few)
    column, words = REFUSED[kind]
    is_series = isinstance(column, pd.Series | pl.Series | pa.ChunkedArray)
    for data in ({"c": column}, *(frames_of(column) if is_series else ())):
        with pytest.raises(DataError, match=f"t: column 'c' .*{words}"):
            FrameSource(frame_of(data), "t").cells(["c"])


def test_single_values_are_no_columns():
    with pytest.raises(DataError, match=r"column 'a' must have shape \(rows,\), got \(\)"):
        FrameSource(frame_of({"a": 1, "b": ["x"]})).cells(["a", "b"])


def test_moments_are_the_same_numbers_as_text():
    rng = np.random.default_rng(0)
    moments = rng.integers(-(10**15), 4 * 10**15, 2000).astype("M8[us]")
    texts = [str(moment) for moment in moments]
    np.testing.assert_array_equal(days_of(texts, "%Y-%m-%dT%H:%M:%S"), days_since_1970(moments))
    offsets = 15 * rng.integers(-48, 48, 2000)
    zoned = [
        f"{text}{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
        for text, offset in zip(texts, offsets, strict=True)
    ]
    in_utc = days_since_1970(moments - offsets.astype("m8[m]"))
    np.testing.assert_array_equal(days_of(zoned, "%Y-%m-%dT%H:%M:%S%z"), in_utc)
