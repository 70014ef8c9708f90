"""Tasks: inferred from targets, encoded for the network, decoded into answers; and standardization."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fuseprop import Table
from fuseprop.data import DataError
from fuseprop.data.scaling import Standardizer
from fuseprop.data.tasks import Task, make_task


def table(targets):
    return Table.of(np.arange(float(len(targets)))[:, None], targets)


REPEATED = [*range(5)] * 5


@pytest.mark.parametrize(
    ("targets", "name", "classes"),
    [
        (["b", "a", "b"], "binary", ("a", "b")),
        (["b", "a", "c"], "exclusive", ("a", "b", "c")),
        ([1, 0, 1], "binary", (0, 1)),
        ([3, -7, 3], "binary", (-7, 3)),
        ([True, False, True], "binary", (0, 1)),
        (REPEATED, "exclusive", (0, 1, 2, 3, 4)),
        (range(25), "regression", ()),
        ([*range(30)] * 20, "regression", ()),
        ([0.5, 1.5, 0.5], "regression", ()),
        ([[0, 1], [1, 1]], "multi-label", ()),
        ([[0, 1], [1, 2]], "regression", ()),
    ],
)
def test_inference(targets, name, classes):
    task = make_task(table(list(targets)))
    assert (task.name, task.classes) == (name, classes)


def test_overrides():
    assert make_task(table(REPEATED), "regression").name == "regression"
    assert make_task(table([0, 1, 0]), "exclusive").classes == (0, 1)
    one_hot = make_task(table([[0, 1], [1, 0]]), "exclusive")
    assert one_hot.classes == ("y1", "y2")
    np.testing.assert_array_equal(one_hot.encode(table([[0, 1], [1, 0]])), [1, 0])


@pytest.mark.parametrize(
    ("targets", "name", "words"),
    [
        (["a", "a"], None, ["a in every row", "at least two classes"]),
        ([4, 4, 4], None, ["4.0 in every row"]),
        ([4, 4, 4], "exclusive", ["4.0 in every row"]),
        (["a", "b", "c"], "binary", ["two classes", "has 3", "exclusive"]),
        (["a", "b"], "regression", ["expected numbers", "'a'"]),
        (["a", "b"], "multi-label", ["expected numbers"]),
        ([[0, 1], [3, 1]], "multi-label", ["row 2", "'y1'", "0 or 1", "got 3"]),
        ([[0, 1], [1, 1]], "exclusive", ["one 1 a row", "row 2 has 2", "multi-label"]),
        ([[0, 1], [1, 0]], "binary", ["one target column"]),
        ([["a", "b"], ["c", "d"]], None, ["several target columns"]),
        ([0, 1], "exclusiv", ["regression, binary, exclusive, multi-label", 'Did you mean "exclusive"?']),
    ],
)
def test_refusals(targets, name, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the words are what matters)
        make_task(table(targets), name)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("targets", "loss", "words"),
    [
        (
            [[0, 1], [1, 1]],
            "softmax_cross_entropy",
            ["multi-label", "exclude each other", "sigmoid_cross_entropy"],
        ),
        ([0.5, 1.5], "sigmoid_cross_entropy", ["regression", "mean_squared_error"]),
        ([0, 1], "hing", ["half_squared_error, mean_squared_error", 'Did you mean "hinge"?']),
    ],
)
def test_losses_that_do_not_fit(targets, loss, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        make_task(table(targets)).outputs(loss)
    for word in words:
        assert word in str(caught.value)


def test_outputs():
    assert make_task(table([0, 1])).outputs("sigmoid_cross_entropy") == 1
    assert make_task(table([0, 1])).outputs("softmax_cross_entropy") == 2
    assert make_task(table(REPEATED)).outputs("mean_squared_error") == 5
    assert make_task(table([[0.5, 1], [1, 2]])).outputs("mean_squared_error") == 2


def test_unknown_class_and_wrong_number_of_columns():
    task = make_task(table(["a", "b", "c"]))
    with pytest.raises(DataError, match=r"row 2 has the class 'd'.*a, b, c"):
        task.encode(table(["a", "d"]))
    with pytest.raises(DataError, match="2 target columns, expected 1"):
        task.encode(table([["a", "b"], ["a", "b"]]))
    with pytest.raises(DataError, match="no target column"):
        task.encode(Table.of([[1.0]]))


@pytest.mark.parametrize("classes", [["x", "yy", "z"], [10, 9, 100], [0.5, 0.25, 3.0], ["10", "9", "1"]])
def test_decisions_are_the_names_that_were_encoded(classes):
    given = [classes[i] for i in (2, 0, 1, 1, 2)]
    task = make_task(table(given), "exclusive")
    encoded = task.encode(table(given))
    assert task.decide(np.eye(3)[encoded]).tolist() == given


def test_binary_probabilities_are_of_both_classes():
    task = make_task(table(["no", "yes"]))
    outputs = np.array([[0.25], [0.75]])
    np.testing.assert_array_equal(task.probabilities(outputs), [[0.75, 0.25], [0.25, 0.75]])
    assert task.decide(outputs).tolist() == ["no", "yes"]


def test_multi_label_decisions():
    task = make_task(table([[0, 1], [1, 1]]))
    np.testing.assert_array_equal(task.decide(np.array([[0.2, 0.9]])), [[0, 1]])
    assert task.labels == ("y1", "y2")


def test_standardizer_and_constant_columns():
    X = np.array([[1.0, 0.1, 0.0, 1e308], [3.0, 0.1, 0.0, -1e308], [8.0, 0.1, 0.0, 0.0]])
    scaler = Standardizer.fit(X)
    np.testing.assert_allclose(scaler.mean[:3], [4, 0.1, 0])
    np.testing.assert_allclose(scaler.scale, [X[:, 0].std(), 1, 1, 1e308 * np.sqrt(2 / 3)])
    Z = scaler.apply(X)
    np.testing.assert_allclose(Z[:, 0].mean(), 0, atol=1e-15)
    np.testing.assert_allclose(Z[:, 0].std(), 1)


@settings(derandomize=True, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 3)), elements=st.floats(-1e150, 1e150)))
def test_standardizer_is_finite_and_undone(X):
    scaler = Standardizer.fit(X)
    Z = scaler.apply(X)
    assert np.isfinite(Z).all()
    assert (scaler.scale > 0).all()
    np.testing.assert_allclose(scaler.undo(Z), X, rtol=1e-12, atol=1e-12 * max(1.0, np.abs(X).max()))


def test_a_poisson_deviance_is_for_regressions_whose_targets_it_takes_as_they_are():
    loss = "half_poisson_deviance"
    counts = make_task(table([*range(25)]))
    assert counts.outputs(loss) == 1
    assert (counts.standardizes(loss), counts.standardizes("mean_squared_error")) == (False, True)
    with pytest.raises(ValueError, match=r"needs counts or amounts, but the task is binary.*sigmoid_cross"):
        make_task(table([0, 1, 0])).outputs(loss)


def test_rows_are_named_by_their_numbers_in_the_source():
    """Where rows without a target were left out."""
    rows = np.array([4, 9])
    for targets, name, classes in (
        ([["a"], ["x"]], "binary", ("a", "b")),
        ([[0, 1], [1, 1]], "exclusive", ("y1", "y2")),
        ([[0, 1], [0, 5]], "multi-label", ()),
    ):
        table = Table.of([[1.0], [2.0]], targets)
        task = Task(name, table.target_names, classes)
        with pytest.raises(DataError, match=r"row 10\b"):
            task.encode(replace(table, rows=rows))
