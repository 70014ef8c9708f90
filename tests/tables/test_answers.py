"""Predictions come back as the kind of table that was given."""

import narwhals
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fuseprop
from fuseprop import Table

X = np.random.default_rng(0).normal(size=(60, 2))
COLUMNS = {"a": X[:, 0], "b": X[:, 1]}
INDEX = pd.Index([f"row {i}" for i in range(59)] + ["row 0"])
TARGETS = {
    "regression": {"y": X[:, 0]},
    "regressions": {"y": X[:, 0], "z": X[:, 1]},
    "classes": {"y": np.where(X[:, 0] > 0, "yes", "no")},
    "numbers": {"y": np.where(X[:, 0] > 0, 1, 7)},
    "labels": {"y": X[:, 0] > 0, "z": X[:, 1] > 0},
    "exclusive": {"y": X[:, 0] > 0, "z": X[:, 0] <= 0},
}
KINDS = {
    "pandas": lambda columns: pd.DataFrame(columns, index=INDEX),
    "polars": pl.DataFrame,
    "arrow": pa.table,
    "narwhals": lambda columns: narwhals.from_native(pl.DataFrame(columns)),
}


@pytest.fixture(scope="module")
def models():
    return {
        name: fuseprop.train(
            Table.of(COLUMNS, np.column_stack([*targets.values()]), target_names=[*targets]),
            task="exclusive" if name == "exclusive" else None,
            hidden=(),
            epochs=2,
            device="cpu",
        )[0]
        for name, targets in TARGETS.items()
    }


def values_of(answer):
    return np.column_stack(answer.columns) if isinstance(answer, pa.Table) else np.asarray(answer)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", TARGETS)
def test_answers_are_of_the_kind_that_was_given(models, task, kind):
    model, targets = models[task], [*TARGETS[task]]
    frame, expected = KINDS[kind](COLUMNS), model.predict(X)
    answer = model.predict(frame)
    assert answer.labels == expected.labels
    np.testing.assert_array_equal(values_of(answer.values), expected.values)
    if expected.values.ndim == 2:
        assert isinstance(answer.values, type(frame))
        names = answer.values.column_names if kind == "arrow" else [*answer.values.columns]
        assert names == targets
    elif kind != "arrow":  # whose columns have no name by themselves
        assert isinstance(answer.values, type(frame["a"]))
        assert answer.values.name == ("class" if task == "exclusive" else "y")
    if expected.probabilities is None:
        assert answer.probabilities is None
        return
    probabilities = model.predict_proba(frame)
    for given in (answer.probabilities, probabilities):
        assert isinstance(given, type(frame))
        np.testing.assert_array_equal(values_of(given), expected.probabilities)
        names = given.column_names if kind == "arrow" else [*given.columns]
        assert names == [str(label) for label in expected.labels]
    if kind == "pandas":
        assert answer.values.index.equals(INDEX)
        assert probabilities.index.equals(INDEX)


@pytest.mark.parametrize("task", TARGETS)
def test_arrays_dicts_and_tables_are_answered_by_arrays(models, task):
    model, expected = models[task], models[task].predict(X)
    for data in (X, X.tolist(), COLUMNS, Table.of(pd.DataFrame(COLUMNS)), X.astype(object)):
        answer = model.predict(data)
        assert type(answer.values) is np.ndarray
        np.testing.assert_array_equal(answer.values, expected.values)
        if expected.probabilities is not None:
            np.testing.assert_array_equal(model.predict_proba(data), expected.probabilities)


def test_values_are_no_probabilities(models):
    with pytest.raises(TypeError, match=r"a regression has no probabilities: `predict\(data\).values`"):
        models["regression"].predict_proba(X)
    hinge, _ = fuseprop.train(
        Table.of(COLUMNS, TARGETS["classes"]["y"]), loss="hinge", hidden=(), epochs=1, device="cpu"
    )
    with pytest.raises(TypeError, match="the loss hinge has no probabilities"):
        hinge.predict_proba(X)
