"""Callbacks, early stopping with the best weights however training ends, and norms in the history."""

import csv
import os
import signal

import numpy as np
import pytest

import fuseprop
from fuseprop import DivergenceError, EarlyStopping, MomentumSGD, Network, mlp
from fuseprop.callbacks import Callback, HistoryCSV, OnEpochEnd, SaveBest
from fuseprop.model.fitting import Fitting

SOFTMAX = "softmax_cross_entropy"


@pytest.fixture
def rows():
    """Random labels: the training loss falls and the validation loss soon rises."""
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=(60, 5)),
        rng.integers(0, 3, 60),
        (rng.normal(size=(40, 5)), rng.integers(0, 3, 40)),
    )


def classifier(backend):
    return Network(mlp([5, 16, 3], "tanh"), SOFTMAX, seed=0, backend=backend)


class Watch:
    """Keeps the weights seen after each epoch, and what it was told."""

    def __init__(self, network, interrupt_in=None):
        self.network, self.interrupt_in = network, interrupt_in
        self.weights, self.told = [], []

    def start(self, epochs, history):
        self.told.append(f"start {epochs}")

    def epoch_end(self, history):
        self.told.append("epoch")
        self.weights.append(self.network.weights())

    def end(self, history):
        self.told.append(f"end {history.stop_reason}")
        self.at_end = self.network.weights()


class WatchBatches(Watch):
    def batch_end(self, history, batch):
        self.told.append(f"batch {batch}")
        if (history.epochs + 1, batch) == self.interrupt_in:
            os.kill(os.getpid(), signal.SIGINT)


def same(weights, others):
    return all(
        np.array_equal(a, b) for p, q in zip(weights, others, strict=True) for a, b in zip(p, q, strict=True)
    )


def test_each_callback_is_told_what_it_asks_for(backend, rows):
    X, y, _ = rows
    network = classifier(backend)
    plain, batches = Watch(network), WatchBatches(network)
    network.fit(X, y, epochs=2, batch_size=25, callbacks=[plain, batches])
    assert plain.told == ["start 2", "epoch", "epoch", "end finished"]
    epoch = ["batch 1", "batch 2", "batch 3", "epoch"]
    assert batches.told == ["start 2", *epoch, *epoch, "end finished"]


def test_callbacks_change_no_bit(backend, rows, tmp_path):
    X, y, held_out = rows
    plain, watched = classifier(backend), classifier(backend)
    plain.fit(X, y, epochs=4, validation=held_out)
    callbacks = [WatchBatches(watched), HistoryCSV(tmp_path / "h.csv"), OnEpochEnd(lambda history: None)]
    watched.fit(X, y, epochs=4, validation=held_out, norms=True, callbacks=callbacks)
    assert same(plain.weights(), watched.weights())


# Early stopping


def test_patience_ends_training_with_the_best_weights(backend, rows):
    X, y, held_out = rows
    network = classifier(backend)
    watch = Watch(network)
    stopping = EarlyStopping(patience=6)
    history = network.fit(
        X, y, MomentumSGD(0.3), epochs=500, validation=held_out, callbacks=[watch, stopping]
    )
    best = int(np.argmin(history.validation_loss))
    assert history.stop_reason == "early stopping"
    assert history.epochs == best + 1 + 6
    assert history.best_epoch == best + 1
    assert same(network.weights(), watch.weights[best])
    assert not same(network.weights(), watch.weights[-1])
    assert same(watch.at_end, network.weights()), "callbacks see the final weights when training ends"
    assert network.evaluate(*held_out)["loss"] == pytest.approx(history.validation_loss[best], rel=1e-5)


def test_the_last_epoch_restores_too(backend, rows):
    X, y, held_out = rows
    network = classifier(backend)
    watch = Watch(network)
    history = network.fit(
        *(X, y, MomentumSGD(0.3)), epochs=30, validation=held_out, callbacks=[watch, EarlyStopping(1000)]
    )
    assert (history.stop_reason, history.epochs) == ("finished", 30)
    assert history.best_epoch < 30
    assert same(network.weights(), watch.weights[history.best_epoch - 1])


@pytest.mark.parametrize("batch", [1, 2])
def test_ctrl_c_restores_too(backend, rows, batch):
    X, y, held_out = rows
    network = classifier(backend)
    watch = WatchBatches(network, interrupt_in=(26, batch))
    with pytest.warns(
        UserWarning, match=r"interrupted in epoch 26; the weights of epoch \d+, the best, are kept"
    ):
        history = network.fit(
            *(X, y, MomentumSGD(0.3)), epochs=500, validation=held_out, callbacks=[watch, EarlyStopping(1000)]
        )
    assert (history.stop_reason, history.epochs) == ("interrupted", 25)
    assert history.best_epoch < 25
    assert same(network.weights(), watch.weights[history.best_epoch - 1])


def test_ctrl_c_right_after_the_best_epoch_restores_its_weights(backend, rows):
    X, y, _ = rows
    network = classifier(backend)
    watch = WatchBatches(network, interrupt_in=(4, 1))
    with pytest.warns(UserWarning, match="epoch 3, the best"):
        network.fit(X, y, MomentumSGD(0.05), epochs=9, callbacks=[watch, EarlyStopping(5)])
    assert same(network.weights(), watch.weights[2])


def test_ctrl_c_before_the_first_epoch_ends_leaves_the_start(backend, rows):
    X, y, _ = rows
    network = classifier(backend)
    before = network.weights()
    watch = WatchBatches(network, interrupt_in=(1, 1))
    with pytest.warns(UserWarning, match="that training started from"):
        history = network.fit(X, y, epochs=9, callbacks=[watch, EarlyStopping(5)])
    assert history.best_epoch == 0
    assert same(network.weights(), before)


def test_an_error_in_a_callback_restores_and_comes_through(backend, rows):
    X, y, held_out = rows
    network = classifier(backend)
    watch = Watch(network)

    def fail(history):
        if history.epochs == 25:
            raise LookupError("mine")

    callbacks = [watch, EarlyStopping(1000), OnEpochEnd(fail)]
    with pytest.raises(LookupError, match="mine"):
        network.fit(X, y, MomentumSGD(0.3), epochs=30, validation=held_out, callbacks=callbacks)
    assert watch.told[-1] == "end None"
    losses = [network.evaluate(*held_out)["loss"]]
    for weights in watch.weights:
        network.set_weights(weights)
        losses.append(network.evaluate(*held_out)["loss"])
    assert losses[0] == min(losses)


def test_divergence_keeps_the_best_too(backend, rows):
    X, y, _ = rows
    network = Network(mlp([5, 3]), "half_squared_error", seed=0, backend=backend)
    watch = Watch(network)
    big = float(np.finfo(backend.dtype).max) / 1e3
    schedule = [0.01, 0.01, 0.01, big, big, big]
    with pytest.raises(DivergenceError) as caught:
        network.fit(
            X,
            np.eye(3)[y],
            MomentumSGD(lambda epoch: schedule[epoch]),
            epochs=6,
            callbacks=[watch, EarlyStopping()],
        )
    best = int(np.argmin(caught.value.history.train_loss))
    assert same(network.weights(), watch.weights[best])


def test_without_early_stopping_the_last_weights_stay(backend, rows):
    X, y, held_out = rows
    network = classifier(backend)
    watch = Watch(network)
    history = network.fit(X, y, MomentumSGD(0.3), epochs=30, validation=held_out, callbacks=[watch])
    assert history.best_epoch < 30
    assert same(network.weights(), watch.weights[-1])


@pytest.mark.parametrize(("min_delta", "epochs"), [(0.0, 8), (0.5, 5)])
def test_min_delta(min_delta, epochs):
    """Losses that fall slowly are improvements for min_delta 0, and none for a large one."""
    stopping, history = EarlyStopping(patience=3, min_delta=min_delta), fuseprop.History("r2")
    stopping.start(100, history)
    for loss in (2.0, 1.4, 1.3, 1.2, 1.1, 1.5, 1.5, 1.5):
        history.train_loss.append(loss)
        stopping.epoch_end(history)
        if history.stop_reason:
            break
    assert (history.epochs, history.stop_reason, history.restore_best) == (epochs, "early stopping", True)


@pytest.mark.parametrize(
    ("arguments", "message"), [((0,), "patience"), ((3, -1.0), "min_delta"), ((2.5,), "patience")]
)
def test_numbers_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(*arguments)


def test_a_callback_may_stop_training_with_a_reason_of_its_own(backend, rows):
    X, y, _ = rows
    history = classifier(backend).fit(
        X, y, epochs=9, callbacks=[OnEpochEnd(lambda history: history.epochs == 3 and history.stop("enough"))]
    )
    assert (history.epochs, history.stop_reason) == (3, "enough")


# Files


def test_the_csv_is_the_history(backend, rows, tmp_path):
    X, y, held_out = rows
    path, seen = tmp_path / "history.csv", []
    count = OnEpochEnd(lambda history: seen.append(len(path.read_text().splitlines())))
    history = classifier(backend).fit(
        X, y, epochs=3, validation=held_out, norms=True, callbacks=[HistoryCSV(path), count]
    )
    assert seen == [2, 3, 4], "each line is in the file when its epoch is over"
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [int(line["epoch"]) for line in lines] == [1, 2, 3]
    for column, values in {
        "train_loss": history.train_loss,
        "train_accuracy": history.train_metric,
        "validation_loss": history.validation_loss,
        "validation_accuracy": history.validation_metric,
        "learning_rate": history.learning_rate,
        "gradient_norm_2": [norms[1] for norms in history.gradient_norms],
        "weight_norm_1": [norms[0] for norms in history.weight_norms],
    }.items():
        assert [float(line[column]) for line in lines] == values


def test_the_csv_survives_a_crash(backend, rows, tmp_path):
    X, y, _ = rows

    def crash(history):
        if history.epochs == 2:
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        classifier(backend).fit(X, y, epochs=5, callbacks=[HistoryCSV(tmp_path / "h.csv"), OnEpochEnd(crash)])
    assert len((tmp_path / "h.csv").read_text().splitlines()) == 3


def test_a_csv_that_cannot_be_written_is_known_before_training(backend, rows, tmp_path):
    X, y, _ = rows
    network = classifier(backend)
    before = network.weights()
    with pytest.raises(OSError, match="nowhere"):
        network.fit(X, y, epochs=2, callbacks=[HistoryCSV(tmp_path / "nowhere" / "h.csv")])
    assert same(network.weights(), before)


def test_the_best_model_is_in_its_file(tmp_path):
    path = tmp_path / "best.safetensors"
    steps = {"members": 1, "momentum": 0.6, "learning_rate": 0.2}
    fitting = Fitting(fuseprop.load_table("diabetes"), epochs=25, device="cpu", hidden=(32,), **steps)
    saved, held_out = [], fitting.table.take(fitting.validation)
    callbacks: list[Callback] = [
        SaveBest(fitting.model, path),
        OnEpochEnd(lambda history: saved.append(fuseprop.load(path, "cpu").evaluate(held_out)["loss"])),
    ]
    history = fitting.run(callbacks=callbacks)
    assert history.best_epoch < 25
    assert saved == pytest.approx(np.minimum.accumulate(history.validation_loss), rel=1e-5)


# Norms


def test_norms_are_those_of_the_last_batch(backend64, rows):
    X, y, _ = rows
    network = classifier(backend64)
    gradients = []
    watch = OnEpochEnd(lambda history: gradients.append((network.gradients(), network.weights())))
    history = network.fit(X, y, MomentumSGD(0.1, 0.9), epochs=3, batch_size=25, norms=True, callbacks=[watch])
    for epoch, pair in enumerate(gradients):
        for recorded, arrays in zip((history.gradient_norms, history.weight_norms), pair, strict=True):
            expected = [np.sqrt((w**2).sum() + (b**2).sum()) for w, b in arrays]
            assert recorded[epoch] == pytest.approx(expected, rel=1e-12)


def test_norms_cost_nothing_unasked_and_no_wait_when_asked_for(backend, rows, monkeypatch):
    X, y, held_out = rows
    calls = {}
    for name in ("to_host", "synchronize", "sum_squares"):
        method = getattr(backend, name)

        def counted(*arguments, method=method, name=name, **named):
            calls[name] = calls.get(name, 0) + 1
            return method(*arguments, **named)

        monkeypatch.setattr(backend, name, counted)
    history = classifier(backend).fit(X, y, epochs=5, validation=held_out)
    assert calls == {"to_host": 5, "sum_squares": 5}  # the one that looks for weights that are not finite
    assert history.gradient_norms == history.weight_norms == []
    calls.clear()
    history = classifier(backend).fit(X, y, epochs=5, validation=held_out, norms=True)
    assert calls == {"to_host": 5, "sum_squares": 5 + 5 * 4}
    assert np.shape(history.gradient_norms) == np.shape(history.weight_norms) == (5, 2)
