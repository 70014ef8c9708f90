"""Dates, masked values and columns of one name are refused at every door of a Network and a Perceptron."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fuseprop import Dense, MomentumSGD, Network, Perceptron, mlp
from fuseprop.checks.nonnumeric import check_plain

X = np.random.default_rng(0).normal(size=(6, 2))
TARGET = np.arange(6) % 2
DAYS = pd.date_range("2026-01-01", periods=6)
FRAME = pd.DataFrame(X, columns=["a", "b"])

DATES = {
    "numpy": (np.column_stack([DAYS, DAYS]), r"holds dates \(datetime64\[\w+\]\)"),
    "numpy spans": (np.column_stack([DAYS - DAYS[0]] * 2), r"holds spans of time \(timedelta64\[\w+\]\)"),
    "objects": (np.array([[dt.date(2026, 1, 1), 1.0]] * 6, object), r"holds dates \(datetime.date\)"),
    "list": ([[1.0, dt.datetime(2026, 1, 1)]] * 6, r"holds dates \(datetime.datetime\)"),
    "list of numpy's": ([[np.datetime64("2026-01-01"), np.datetime64("2026-01-02")]] * 6, "holds dates"),
    "list of spans": ([[1.0, dt.timedelta(1)]] * 6, r"holds spans of time \(datetime.timedelta\)"),
    "times of day": (np.array([[dt.time(12), 1.0]] * 6, object), r"holds dates \(datetime.time\)"),
    "a column": (FRAME.assign(b=DAYS), r'the column "b" of \w+ holds dates \(datetime64'),
    "a zone": (FRAME.assign(b=DAYS.tz_localize("UTC")), r'the column "b" of \w+ holds dates'),
    "a column of spans": (FRAME.assign(a=DAYS - DAYS[0]), r'the column "a" of \w+ holds spans of time'),
    "a column of objects": (FRAME.assign(b=list(DAYS.date)), r'the column "b" of \w+ holds dates'),
    "stamps": (
        FRAME.assign(b=pd.Series([*DAYS], dtype=object)),
        r'"b" of \w+ holds dates \(pandas.Timestamp',
    ),
    "periods": (FRAME.assign(b=DAYS.to_period("D")), r'the column "b" of \w+ holds dates \(pandas.Period'),
    "categories": (FRAME.assign(b=pd.Categorical(DAYS)), r'the column "b" of \w+ holds dates'),
    "list of arrays": ([*np.column_stack([DAYS, DAYS])], r"holds dates \(datetime64"),
    "a column of Arrow": (
        pa.table({"a": X[:, 0], "b": DAYS}),
        r'the column "b" of \w+ holds dates \(datetime64',
    ),
    "Arrow's days": (pa.table({"a": DAYS.date, "b": DAYS}), r'"a" of \w+ holds dates \(datetime64\[D\]\)'),
    "a column of Polars": (pl.DataFrame({"a": X[:, 0], "b": DAYS}), r'the column "b" of \w+ holds dates'),
    "numbered columns": (pd.DataFrame({0: X[:, 0], 1: DAYS}), r"the column 1 of \w+ holds dates"),
}


def doors(backend):
    """Everything that takes rows, with what it calls them."""
    network = Network(mlp([2, 3, 2]), "softmax_cross_entropy", seed=0, backend=backend)
    learner = Perceptron(backend=backend)
    learner.fit(X[:, :1] > 0, X[:, 0] > 0)
    return [
        network.predict,
        network.classify,
        network.forward,
        lambda rows: network.fit(rows, TARGET),
        lambda rows: network.fit(X, TARGET, validation=(rows, TARGET)),
        lambda rows: network.evaluate(rows, TARGET),
        lambda rows: network.train_step(rows, TARGET, MomentumSGD()),
        lambda rows: network.trace(rows, TARGET),
        lambda rows: network.fit(X, rows),
        lambda rows: Perceptron(backend=backend).fit(rows, TARGET),
        learner.predict,
    ]


@pytest.mark.parametrize("kind", DATES)
def test_dates_are_refused_everywhere(backend, kind):
    rows, message = DATES[kind]
    for door in doors(backend):
        with pytest.raises(TypeError, match=message + ".*no numbers"):
            door(rows)


@pytest.mark.parametrize(
    "dates",
    [
        DAYS,
        DAYS.values,
        DAYS - DAYS[0],
        pd.Series(DAYS),
        pl.Series(DAYS),
        pa.array(DAYS),
        pa.chunked_array([DAYS]),
        [*DAYS.date],
        np.array([*DAYS], object),
    ],
    ids=lambda dates: type(dates).__name__,
)
def test_dates_as_targets_and_weights(backend, dates):
    network = Network(mlp([2, 1]), "half_squared_error", seed=0, backend=backend)
    for call in (
        lambda: network.fit(X, dates),
        lambda: network.evaluate(X, dates),
        lambda: network.fit(X, TARGET, sample_weight=dates),
        lambda: network.train_step(X, dates, MomentumSGD()),
        lambda: Perceptron(backend=backend).fit(X, dates),
    ):
        with pytest.raises(TypeError, match=r"(target|sample_weight) holds (dates|spans of time)"):
            call()


def test_a_series_is_named():
    with pytest.raises(TypeError, match=r'y \(the column "when"\) holds dates'):
        check_plain("y", pd.Series(DAYS, name="when"))


MASKED = np.ma.masked_array(X, mask=False)
MASKED[1, 0] = MASKED[4, 1] = np.ma.masked


def test_masked_rows_are_refused_everywhere(backend):
    message = (
        r"masked array: 2 of its 12 values are masked, the first in row 1, column 0 .*filled.*getmaskarray"
    )
    for door in doors(backend):
        with pytest.raises(ValueError, match=message):
            door(MASKED)
        for rows in ([*MASKED], [[np.ma.masked, 1.0]] * 6):
            with pytest.raises(ValueError, match="list with masked arrays"):
                door(rows)


def test_masked_targets_weights_and_parameters_are_refused(backend):
    network = Network(mlp([2, 1]), "half_squared_error", seed=0, backend=backend)
    masked = np.ma.masked_array(TARGET, mask=TARGET == 1)
    column = np.ma.masked_array(np.ones((2, 1)), mask=[[True], [False]])
    for call in (
        lambda: network.fit(X, masked),
        lambda: network.fit(X, TARGET, sample_weight=masked),
        lambda: network.fit(X, TARGET, validation=(X, masked)),
        lambda: network.set_weights([(column, np.zeros(1))]),
        lambda: Dense(2, 1, weights=column),
        lambda: Perceptron(backend=backend).fit(X, masked),
    ):
        with pytest.raises(ValueError, match=r"masked array: \d of its \d values (is|are) masked"):
            call()


def test_the_advice_for_masked_rows_works(backend):
    network = Network(mlp([2, 1]), "half_squared_error", seed=0, backend=backend)
    keep = ~np.ma.getmaskarray(MASKED).any(axis=1)
    network.fit(MASKED[keep], TARGET[keep], epochs=1)
    nothing_masked = np.ma.masked_array(X, mask=False)
    np.testing.assert_array_equal(network.predict(nothing_masked), network.predict(X))


def test_columns_of_one_name_are_refused_everywhere(backend):
    frame = pd.DataFrame(X, columns=["a", "a"])
    for door in doors(backend):
        with pytest.raises(ValueError, match='has 2 columns of the name "a"'):
            door(frame)


def test_plain_values_pass():
    for values in (
        X,
        X.tolist(),
        FRAME,
        FRAME.assign(b=pd.Categorical(TARGET)),
        FRAME.assign(b=pd.array([1, None, 3, 4, 5, 6], dtype="Int64")),
        FRAME.assign(b="text"),
        pa.table({"a": X[:, 0], "b": ["text"] * 6}),
        [*X],
        pd.Series(["a", "b"]),
        ["a", 1, None],
        None,
        3.5,
        "text",
        np.array(["a"]),
    ):
        check_plain("X", values)


def test_what_stands_in_an_array_of_objects_is_shown(backend):
    network = Network(mlp([2, 1]), "half_squared_error", seed=0, backend=backend)
    for value, shown in ((None, "nan in row 0"), ("red", "'red'"), (pd.NA, "<NA>"), ({}, "{}")):
        with pytest.raises((TypeError, ValueError), match=shown):
            network.predict(np.array([[1.0, value]], object))
    with pytest.raises(ValueError, match="a whole number that no float64 can hold"):
        network.predict([[1, 10**400]])
