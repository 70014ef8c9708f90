"""Training that is asked to stop while an epoch's held-out rows are measured goes on in the same bits."""

from math import ceil

import numpy as np
import pytest
from collecting import Asks, in_pieces

from fuseprop import Adam, EarlyStopping, Network, mlp
from fuseprop.checkpoints import Checkpoint, Keeper, read_checkpoint
from fuseprop.checkpoints.writing import write_checkpoint
from fuseprop.training import pieces
from fuseprop.training.chunks import rows_of_a_chunk
from fuseprop.training.evaluation import Evaluation
from fuseprop.training.measuring import Measuring
from fuseprop.training.pieces import Pieces
from fuseprop.training.rows import check_rows

RNG = np.random.default_rng(3)
X, LABELS, WEIGHTS = RNG.normal(size=(44, 4)), RNG.integers(0, 3, 44), RNG.uniform(0.5, 2.0, 44)
TRAINED, BATCH, EPOCHS = 32, 16, 3
STEPS, HELD_OUT = TRAINED // BATCH, len(X) - TRAINED
LOOKS = STEPS - 1 + HELD_OUT - 1 + 1
"""In an epoch: between its steps, between its held-out rows, and behind it."""


class Always(Keeper):
    """A keeper by time whose next checkpoint is always due; what it has written is kept in memory too."""

    def __init__(self, path):
        super().__init__(Checkpoint(path, "1 h"))
        self.found = []

    def is_due(self, epoch_ended=False):
        return True

    def keep(self, state, *, wait=False):
        write_checkpoint(self.path, {**state, "around": {}}, keeps_previous=False)
        self.found.append(read_checkpoint(self.path))


@pytest.fixture
def row_by_row(backend, monkeypatch):
    """A backend with chunks of one row, and a look after each of them, however little time has passed."""
    monkeypatch.setattr(backend, "chunk_bytes", 1, raising=False)
    monkeypatch.setattr(pieces, "LOOK", 0.0)
    in_pieces(monkeypatch)
    return backend


def network_on(backend):
    return Network(mlp([4, 7, 3], "tanh"), "softmax_cross_entropy", seed=3, backend=backend)


def fit(network, **options):
    (x, held_out), (y, labels), (_, weights) = (np.split(each, [TRAINED]) for each in (X, LABELS, WEIGHTS))
    options = {"callbacks": []} | options
    options["callbacks"] = [EarlyStopping(20), *options["callbacks"]]
    given = {"epochs": EPOCHS, "batch_size": BATCH, "validation": (held_out, labels, weights)}
    return network.fit(x, y, Adam(0.05), **given, **options)


def same(network, history, other, expected):
    for ours, theirs in zip(network.weights(), other.weights(), strict=True):
        for array, wanted in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(array, wanted)
    for name in ("train_loss", "validation_loss", "validation_metric", "best_epoch", "stop_reason"):
        assert getattr(history, name) == getattr(expected, name), name
    assert network.rng.bit_generator.state == other.rng.bit_generator.state


def test_training_is_asked_between_any_two_rows_and_goes_on_in_the_same_bits(row_by_row, tmp_path):
    alone, watched, asks = network_on(row_by_row), network_on(row_by_row), Asks()
    expected = fit(alone)
    same(watched, fit(watched, callbacks=[asks]), alone, expected)
    assert asks.asked == EPOCHS * LOOKS - 1
    measured = STEPS - 1 + np.array([1, 5, HELD_OUT - 1])
    for epoch, number in [(0, measured[0]), (1, measured[1]), (EPOCHS - 1, measured[2])]:
        path = tmp_path / f"{epoch}.safetensors"
        left = network_on(row_by_row)
        asks = Asks(epoch * LOOKS + number)
        history = fit(left, callbacks=[asks], checkpoint=Checkpoint(path, "1 h"))
        assert (history.epochs, history.stop_reason) == (epoch, "time is up")
        best = network_on(row_by_row)
        if history.best_epoch:
            fit(best, callbacks=[Asks(history.best_epoch * LOOKS)])
        np.testing.assert_array_equal(left.weights()[0][0], best.weights()[0][0])
        assert read_checkpoint(path).state["training"]["within"]["steps"] == STEPS
        resumed = network_on(row_by_row)
        same(resumed, fit(resumed, resume=path), alone, expected)


def test_a_checkpoint_by_time_may_come_between_two_rows(row_by_row, tmp_path):
    alone, keeper = network_on(row_by_row), Always(tmp_path / "run.safetensors")
    expected = fit(alone)
    watched = network_on(row_by_row)
    same(watched, fit(watched, checkpoint=keeper), alone, expected)
    assert len(keeper.found) == EPOCHS * LOOKS
    for number in (STEPS, LOOKS + STEPS + 4, LOOKS - 2):
        resumed = network_on(row_by_row)
        same(resumed, fit(resumed, resume=keeper.found[number]), alone, expected)


def test_a_checkpoint_by_steps_waits_for_the_end_of_the_measurement(row_by_row, tmp_path):
    path, places = tmp_path / "run.safetensors", []

    class Noting(Keeper):
        def keep(self, state, *, wait=False):
            super().keep(state, wait=True)
            places.append((state["summary"]["epoch"], state["summary"]["steps"]))

    fit(network_on(row_by_row), checkpoint=Noting(Checkpoint(path, f"{STEPS} steps")))
    assert places == [(epoch, 0) for epoch in range(1, EPOCHS + 1)]


class Few(Pieces):
    """Pieces that always have so many rows."""

    def __init__(self, rows):
        super().__init__()
        self.steps = rows

    def took(self, steps, seconds):
        pass


@pytest.mark.parametrize("rows", [1, 5, 11, 12, 43, 99])
def test_pieces_of_a_measurement_are_whole_chunks_and_change_no_bit(backend, monkeypatch, rows):
    monkeypatch.setattr(backend, "chunk_bytes", 500, raising=False)
    network = network_on(backend)
    evaluation = Evaluation(backend, network.stack, None, check_rows(network.stack, X, LABELS, WEIGHTS))
    whole, result = (backend.zeros((evaluation.size,)) for _ in range(2))
    evaluation.place(whole)
    evaluation.measure()
    evaluation.place(result)
    looks = []
    evaluation.measure(Measuring(Few(rows), backend.synchronize, lambda: looks.append(None)))
    np.testing.assert_array_equal(backend.to_host(result), backend.to_host(whole))
    chunk = rows_of_a_chunk(backend, network.stack, len(X))
    assert 1 < chunk < 12
    assert len(looks) == ceil(len(X) / (ceil(rows / chunk) * chunk)) - 1
