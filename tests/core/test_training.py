"""Training as a whole: history, validation, weights of rows, reproducibility, callbacks, and explosions."""

import io
import os
import signal

import numpy as np
import pytest

from fuseprop import Adam, Dense, DivergenceError, MomentumSGD, Network, load_backend, mlp
from fuseprop.callbacks.progress import Progress

SOFTMAX, HALF = "softmax_cross_entropy", "half_squared_error"


@pytest.fixture
def classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 5))
    return X, (X @ rng.normal(size=(5, 3))).argmax(axis=1)


def classifier(backend, **parameters):
    return Network(mlp([5, 8, 3]), SOFTMAX, seed=0, backend=backend, **parameters)


def test_history_has_an_entry_an_epoch(backend, classes):
    network = classifier(backend)
    history = network.fit(*classes, epochs=7, validation=0.25)
    assert history.metric == "accuracy"
    assert history.stop_reason == "finished"
    assert history.epochs == 7
    for entries in (history.train_loss, history.validation_loss, history.train_metric, history.seconds):
        assert len(entries) == 7
        assert np.isfinite(entries).all()
    assert history.train_loss[-1] < history.train_loss[0]
    assert history.seconds_per_epoch == pytest.approx(np.mean(history.seconds))


def test_without_validation_its_lists_stay_empty(backend, classes):
    history = classifier(backend).fit(*classes, epochs=2)
    assert history.validation_loss == history.validation_metric == []


def test_history_is_what_evaluate_says(backend, classes):
    """One's own validation set: the last entry is the network as it is now, also over several chunks."""
    X, y = classes
    network = classifier(backend)
    history = network.fit(
        X[:80], y[:80], epochs=3, validation=(np.repeat(X[80:], 60, 0), np.repeat(y[80:], 60))
    )
    result = network.evaluate(X[80:], y[80:])
    eps = float(np.finfo(backend.dtype).eps)
    assert history.validation_loss[-1] == pytest.approx(result["loss"], rel=1000 * eps)
    assert history.validation_metric[-1] == pytest.approx(result["accuracy"], rel=1000 * eps)
    expected = (network.classify(X[80:]) == y[80:]).mean()
    assert result["accuracy"] == pytest.approx(expected, rel=1000 * eps)


def test_validation_rows_are_never_learned_from(backend, classes):
    """Validation rows with absurd values change nothing about the weights."""
    X, y = classes
    weights = []
    for other in (X[80:], 100 * X[80:]):
        network = classifier(backend)
        network.fit(X[:80], y[:80], epochs=3, validation=(other, y[80:]))
        weights.append(network.weights())
    for (w, b), (v, c) in zip(*weights, strict=True):
        np.testing.assert_array_equal(w, v)
        np.testing.assert_array_equal(b, c)


def test_r2_of_the_history_and_of_evaluate(backend):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    t = X @ rng.normal(size=(3, 2)) + 0.1 * rng.normal(size=(60, 2))
    w = rng.uniform(0.5, 2, 60)
    for loss in ("half_squared_error", "mean_squared_error"):
        network = Network(mlp([3, 2]), loss, seed=0, backend=backend)
        history = network.fit(X, t, MomentumSGD(0.05), epochs=30, sample_weight=w)
        assert history.metric == "r2"
        assert history.train_metric[-1] > 0.9
        residual = np.average(((network.predict(X) - t) ** 2).sum(axis=1), weights=w)
        total = np.average(((t - np.average(t, axis=0, weights=w)) ** 2).sum(axis=1), weights=w)
        expected = 1 - residual / total
        assert network.evaluate(X, t, w)["r2"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.replays
def test_a_row_of_weight_zero_is_not_there(backend64, classes):
    X, y = classes
    keep = np.arange(len(y)) % 2 == 0
    networks = [classifier(backend64), classifier(backend64)]
    for _ in range(3):
        networks[0].train_step(X, y, MomentumSGD(), sample_weight=keep.astype(float))
        networks[1].train_step(X[keep], y[keep], MomentumSGD())
    for (w, b), (v, c) in zip(networks[0].weights(), networks[1].weights(), strict=True):
        np.testing.assert_allclose(w, v, atol=1e-13)
        np.testing.assert_allclose(b, c, atol=1e-13)


def test_a_batch_of_weight_zero_teaches_nothing(backend, classes):
    X, y = classes
    network = classifier(backend)
    weights = np.zeros(120)
    weights[-1] = 1
    history = network.fit(X, y, epochs=2, batch_size=10, sample_weight=weights, shuffle=False)
    assert np.isfinite(history.train_loss).all()


@pytest.mark.parametrize("seed", [0, 7])
def test_same_seed_same_bits_other_seed_other_weights(backend, classes, seed):
    def train(seed):
        network = Network(mlp([5, 8, 3]), SOFTMAX, seed=seed, backend=backend)
        history = network.fit(*classes, epochs=3, validation=0.2)
        return network.weights()[0][0].tobytes(), history.train_loss, history.validation_loss

    assert train(seed) == train(seed)
    assert train(seed) != train(seed + 1)


@pytest.mark.replays
def test_momentum_goes_on_from_one_fit_to_the_next(backend64, classes):
    whole, halves = classifier(backend64), classifier(backend64)
    whole.fit(*classes, MomentumSGD(0.1, 0.9), epochs=4, shuffle=False)
    optimizer = MomentumSGD(0.1, 0.9)
    for _ in range(2):
        halves.fit(*classes, optimizer, epochs=2, shuffle=False)
    for (w, _), (v, _) in zip(whole.weights(), halves.weights(), strict=True):
        np.testing.assert_array_equal(w, v)


def test_labels_with_a_squared_error(backend, classes):
    """Exclusive classes by number become rows of no and yes, in the coding of the output."""
    X, y = classes
    for output, low in (("sigmoid", 0.0), ("tanh", -1.0), ("identity", 0.0)):
        layers = mlp([5, 8, 3], "tanh", output_activation=output)
        network = Network(layers, "half_squared_error", seed=0, backend=backend)
        coded = np.full((120, 3), low)
        coded[np.arange(120), y] = 1
        network.forward(X)
        loss = network.backward(coded)
        assert network.backward(y) == pytest.approx(loss)
        history = network.fit(X, y, MomentumSGD(0.1), epochs=40)
        assert history.metric == "accuracy"
        assert history.train_metric[-1] > 0.9
        assert network.evaluate(X, y)["accuracy"] == pytest.approx((network.predict(X).argmax(1) == y).mean())


def test_thresholds(backend):
    """0.5 for a sigmoid output, 0 for a tanh output, decided and counted alike."""
    X, yes = np.array([[-2.0], [-0.1], [0.1], [2.0]]), np.array([[0], [0], [1], [1]])
    sigmoid = Network(
        mlp([1, 1], output_activation="sigmoid"), "half_squared_error", metric="accuracy", backend=backend
    )
    tanh = Network(
        mlp([1, 1], output_activation="tanh"), "half_squared_error", metric="accuracy", backend=backend
    )
    logits = Network(mlp([1, 1]), "sigmoid_cross_entropy", backend=backend)
    for network, low in ((sigmoid, 0), (tanh, -1), (logits, 0)):
        network.set_weights([([[1.0]], [0.0])])
        np.testing.assert_array_equal(network.classify(X), np.where(yes, 1, low if network is tanh else 0))
        assert network.evaluate(X, np.where(yes, 1, low))["accuracy"] == 1.0
        assert network.evaluate(X, np.where(yes, low, 1))["accuracy"] == 0.0


def test_divergence_is_named_and_the_best_weights_stay(backend, classes):
    X, y = classes
    network = Network(mlp([5, 8, 3], "relu"), "half_squared_error", seed=0, backend=backend)
    optimizer = MomentumSGD(learning_rate=0.01)
    first = network.fit(1e3 * X[:64], y[:64], MomentumSGD(1e-9), epochs=1)
    kept = network.weights()
    optimizer.learning_rate = 1e3
    with pytest.raises(
        DivergenceError, match=r"epoch 1, batch \d+ of 4 .*layer [12] .*smaller learning rate"
    ) as caught:
        network.fit(1e3 * X[:64], y[:64], optimizer, epochs=5, batch_size=16)
    assert first.stop_reason == "finished"
    assert caught.value.epoch == 1
    assert 1 <= caught.value.batch <= 4
    assert caught.value.layer in (1, 2)
    assert caught.value.history.stop_reason == "diverged"
    assert caught.value.history.epochs == 0
    for (w, b), (v, c) in zip(network.weights(), kept, strict=True):
        np.testing.assert_array_equal(w, v)
        np.testing.assert_array_equal(b, c)
    assert not backend.to_host(optimizer.velocities).any()
    assert np.isfinite(network.fit(1e3 * X[:64], y[:64], MomentumSGD(1e-9), epochs=1).train_loss).all()


class Faster:
    """Turns the learning rate up after some epochs, and keeps the weights seen at each."""

    def __init__(self, network, optimizer, after):
        self.network, self.optimizer, self.after, self.weights = network, optimizer, after, []

    def start(self, epochs, history):
        self.started = epochs

    def epoch_end(self, history):
        self.weights.append(self.network.weights())
        if history.epochs == self.after:
            self.optimizer.learning_rate = float(np.finfo(self.network.backend.dtype).max) / 1e3
            self.optimizer.prepare(self.network.stack.parameters, 1)

    def end(self, history):
        self.reason = history.stop_reason


def test_divergence_later_keeps_the_best_epoch(backend, classes):
    network = Network(mlp([5, 8, 3], "relu"), SOFTMAX, seed=0, backend=backend)
    optimizer = MomentumSGD(0.1)
    watcher = Faster(network, optimizer, after=4)
    with pytest.raises(DivergenceError) as caught:
        network.fit(*classes, optimizer, epochs=9, callbacks=[watcher], validation=0.2)
    assert caught.value.epoch == 5
    best = int(np.argmin(caught.value.history.validation_loss))
    assert f"weights of epoch {best + 1} were kept" in str(caught.value)
    for (w, b), (v, c) in zip(network.weights(), watcher.weights[best], strict=True):
        np.testing.assert_array_equal(w, v)
        np.testing.assert_array_equal(b, c)


def test_a_validation_loss_that_explodes_stops_too(backend, classes):
    X, y = classes
    network = Network(mlp([5, 3]), "half_squared_error", seed=0, backend=backend)
    far = np.full((2, 5), np.finfo(backend.dtype).max / 8)
    with pytest.raises(DivergenceError, match="validation loss"):
        network.fit(X, np.eye(3)[y], MomentumSGD(0.01), epochs=2, validation=(far, np.eye(3)[:2]))


def test_callbacks_are_told(backend, classes):
    network, optimizer = classifier(backend), MomentumSGD(0.1)
    watcher = Faster(network, optimizer, after=99)
    network.fit(*classes, optimizer, epochs=3, callbacks=[watcher])
    assert (watcher.started, len(watcher.weights), watcher.reason) == (3, 3, "finished")


class Interrupting(Faster):
    def epoch_end(self, history):
        if history.epochs == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_keeps_the_network(backend, classes):
    network, optimizer = classifier(backend), MomentumSGD(0.1)
    watcher = Interrupting(network, optimizer, after=99)
    with pytest.warns(UserWarning, match="interrupted in epoch 3"):
        history = network.fit(*classes, optimizer, epochs=50, callbacks=[watcher])
    assert (history.epochs, history.stop_reason, watcher.reason) == (2, "interrupted", "interrupted")
    assert np.isfinite(network.predict(classes[0])).all()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(backend, classes):
    bar, lines = Terminal(), io.StringIO()
    classifier(backend).fit(*classes, epochs=3, validation=0.2, callbacks=[Progress(bar), Progress(lines)])
    written = lines.getvalue().splitlines()
    assert [line.split()[1] for line in written] == ["1/3", "2/3", "3/3"]
    assert all("validation loss" in line and "accuracy" in line for line in written)
    assert "3/3" in bar.getvalue()
    assert "epoch 3/3" not in bar.getvalue()


def test_progress_goes_to_standard_error(backend, classes, capsys):
    classifier(backend).fit(*classes, epochs=2, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "epoch 2/2" in captured.err


def test_the_host_waits_once_an_epoch(backend, classes, monkeypatch):
    """Losses, hits and validation stay on the device until the epoch is over, and come in one piece."""
    waits = []
    for name in ("to_host", "synchronize"):
        method = getattr(backend, name)
        monkeypatch.setattr(
            backend, name, lambda *a, method=method, name=name: waits.append(name) or method(*a)
        )
    classifier(backend).fit(*classes, epochs=5, validation=0.2, sample_weight=np.ones(120))
    assert waits == ["to_host"] * 5


# What is judged is the weights, one by one


def test_weights_whose_squares_overflow_have_not_diverged():
    """1e25 is a float32, its square is none."""
    backend = load_backend("cpu", "float32")
    network = Network([Dense(1, 1, "identity", weights=[[1e25]])], HALF, backend=backend)
    history = network.fit([[1e-25]], [1.0], MomentumSGD(1e-9), epochs=3)
    assert history.stop_reason == "finished"
    assert network.predict([[1e-25]])[0, 0] == pytest.approx(1.0, rel=1e-5)


def test_the_norm_of_a_gradient_whose_square_overflows_is_told():
    backend = load_backend("cpu", "float32")
    network = Network([Dense(1, 1, "identity", weights=[[0.0]])], HALF, backend=backend)
    with pytest.raises(DivergenceError, match=r"the largest gradient is 1\.41e\+22, in layer 1"):
        network.fit([[1.0]], [1e22], MomentumSGD(1e30), epochs=3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [MomentumSGD, Adam])
@pytest.mark.parametrize("scale", [1e3, 1e6])
@pytest.mark.parametrize("rate", [0.1, 1e-3])
def test_an_unscaled_table_ends_with_finite_weights(dtype, kind, scale, rate):
    X = np.random.default_rng(0).normal(size=(200, 5)) * scale
    network = Network(mlp([5, 50, 1], "relu"), HALF, seed=0, backend=load_backend("cpu", dtype))
    if kind is MomentumSGD:
        with pytest.raises(DivergenceError, match="were kept"):
            network.fit(X, X.sum(axis=1), kind(rate), epochs=50)
    else:
        network.fit(X, X.sum(axis=1), kind(rate), epochs=50)
    for weights, bias in network.weights():
        assert np.isfinite(weights).all()
        assert np.isfinite(bias).all()


def test_a_callback_that_fails_amid_an_explosion_leaves_finite_weights(backend):
    class Fails:
        def start(self, epochs, history): ...

        def epoch_end(self, history): ...

        def batch_end(self, history, batch):
            if batch == 4:
                raise RuntimeError("enough")

        def end(self, history): ...

    network = Network(mlp([2, 3, 1], "relu"), HALF, seed=0, backend=backend)
    before = network.weights()[0][0]
    X = 1e3 * np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(RuntimeError, match="enough"):
        network.fit(X, X.sum(axis=1), MomentumSGD(1e30), epochs=1, batch_size=5, callbacks=[Fails()])
    np.testing.assert_array_equal(network.weights()[0][0], before)


def test_predictions_that_overflow_are_told(backend):
    network = Network([Dense(1, 2, "identity", weights=[[1e30, 1.0]])], HALF, backend=backend)
    limit = float(np.finfo(backend.dtype).max)
    with pytest.warns(RuntimeWarning, match="1 of 4 predictions is nan or inf.*too large for float"):
        network.predict([[limit / 1e10], [1.0]])
