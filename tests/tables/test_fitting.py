"""Fitting: rows are numbers of a table's rows, encoded part by part, and no part of it is copied or kept."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

from fuseprop import MomentumSGD, Network, Table, mlp
from fuseprop.model.fitting import Fitting

ONE = {"members": 1, "epochs": 1, "device": "cpu"}


def table(n=20_000, d=40):
    X = np.random.default_rng(0).normal(size=(n, d))
    return Table.of(X, X[:, 0])


def test_parts_are_rows_of_the_table_each_in_one_of_them():
    fitting = Fitting(table(100, 2), **ONE)
    parts = [rows for _, rows in fitting.parts()]
    assert [len(rows) for rows in parts] == [64, 16, 20]
    assert sorted(np.concatenate(parts).tolist()) == list(range(100))
    assert all((np.diff(rows) > 0).all() for rows in parts)
    whole = Fitting(table(100, 2), **ONE, test=0.0, validation=0.0)
    assert [None if rows is None else len(rows) for _, rows in whole.parts()] == [100, None, None]


def test_the_scores_are_those_of_the_parts_as_tables():
    fitting = Fitting(table(100, 2), **ONE)
    fitting.run()
    report = fitting.report()
    for name, rows in fitting.parts():
        assert report.scores(name) == fitting.model.evaluate(fitting.table.take(rows))


def test_a_training_needs_little_more_than_its_encoded_rows():
    data = table()
    tracemalloc.start()
    try:
        fitting = Fitting(data, **ONE, batch_size=500)
        of_fitting = tracemalloc.get_traced_memory()[1]
        fitting.run()
        fitting.report()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    encoded = len(data) * fitting.model.network.inputs * 4
    assert of_fitting < 8 * 2**20, "blocks, however many rows there are"
    assert peak < encoded + 8 * 2**20


@pytest.mark.parametrize("read_only", [False, True])
def test_rows_are_let_go_when_training_ends(read_only):
    X = np.random.default_rng(0).normal(size=(50, 3)).astype("f4")
    X.flags.writeable = not read_only
    network = Network(mlp([3, 2, 1]), "half_squared_error", device="cpu")
    kept = weakref.ref(X)
    gc.disable()
    try:
        network.fit(X, X[:, :1].copy(), MomentumSGD(), epochs=1, validation=(X, X[:, :1].copy()))
        network.evaluate(X, X[:, :1].copy())
        del X
        assert kept() is None
    finally:
        gc.enable()


class Spoils:
    """Changes rows once the training has them."""

    def __init__(self, rows):
        self.rows = rows

    def start(self, epochs, history):
        self.rows[:] = 1e3

    def epoch_end(self, history):
        pass

    def end(self, history):
        pass


@pytest.mark.parametrize("is_view", [False, True])
def test_rows_that_may_change_are_copied(is_view):
    weights = []
    for callbacks in ((), (Spoils,)):
        base = np.random.default_rng(0).normal(size=(40, 3)).astype("f4")
        rows = base[:] if is_view else base
        rows.flags.writeable = not is_view
        network = Network(mlp([3, 2, 1]), "half_squared_error", device="cpu", seed=0)
        network.fit(rows, base[:, :1].copy(), epochs=2, callbacks=[spoils(base) for spoils in callbacks])
        weights.append(network.weights()[0][0])
    np.testing.assert_array_equal(*weights)
