"""A device with little memory: smaller batches where they are allowed, smaller chunks by themselves.

`tests/cuda/test_out_of_memory.py` says the same of CUDA's backend.
"""

from itertools import pairwise

import numpy as np
import pytest
from little_device import Little

from fuseprop import Adam, Network, mlp
from fuseprop.backend import OutOfMemory
from fuseprop.callbacks import OnEpochEnd
from fuseprop.checkpoints import CheckpointError
from fuseprop.training.changed import SettingChanged
from fuseprop.training.forward import ForwardPass
from fuseprop.training.observers import SumOfSquares

ROWS, FEATURES = 600, 50
RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(ROWS, FEATURES)), RNG.integers(0, 3, ROWS)


def new_network():
    layers = mlp([FEATURES, 30, 20, 3], dropout=0.1)
    return Network(layers, "softmax_cross_entropy", seed=0, backend=Little())


@pytest.fixture
def network():
    return new_network()


def fit(network, batch_size, **options):
    return network.fit(X, LABELS, epochs=2, batch_size=batch_size, **options)


def taking(batch_size, instead):
    return (
        f"little has no room for batch_size={batch_size}: training takes batch_size={instead} instead, and "
        f"the learning rate as it is."
    )


def assert_equal_weights(network, other):
    for ours, expected in zip(network.weights(), other.weights(), strict=True):
        np.testing.assert_array_equal(ours[0], expected[0])
        np.testing.assert_array_equal(ours[1], expected[1])


def fails_once(monkeypatch, when=lambda: True):
    """Let memory run out at the end of the first epoch of which ``when()`` is true."""
    measure, failed = SumOfSquares.measure, []

    def failing(observer, *measuring):
        if not failed and when():
            failed.append(1)
            raise OutOfMemory("a partial sum has no room", 8, lambda: 0)
        measure(observer, *measuring)

    monkeypatch.setattr(SumOfSquares, "measure", failing)


def test_half_the_batch_is_learned_from_as_if_it_had_been_asked_for(network):
    network.backend.leave(300_000)
    with pytest.warns(SettingChanged) as said:
        history = fit(network, 1000, optimizer=Adam(), on_oom="halve", validation=0.2)
    assert [str(each.message) for each in said] == [taking(1000, 125)]
    assert said[0].filename == __file__
    other = new_network()
    expected = fit(other, 125, optimizer=Adam(), on_oom="halve", validation=0.2)
    assert_equal_weights(network, other)
    assert history.train_loss == expected.train_loss
    assert history.validation_loss == expected.validation_loss
    assert history.learning_rate == expected.learning_rate
    assert history.batch_size == expected.batch_size == 125


def test_a_batch_of_more_than_all_rows_has_the_size_that_was_asked_for(network):
    assert fit(network, 1000).batch_size == 1000


def test_memory_that_runs_out_in_the_first_epoch_leaves_nothing_of_it(network, monkeypatch):
    """An optimizer that was used before is set back to where it was, and the generator, and the masks."""
    other, epochs = new_network(), []
    optimizers = [Adam(), Adam()]
    for each, optimizer in zip((network, other), optimizers, strict=True):
        fit(each, 64, optimizer=optimizer)
    fails_once(monkeypatch)
    with pytest.warns(SettingChanged, match=taking(64, 32)):
        fit(network, 64, optimizer=optimizers[0], on_oom="halve", callbacks=[OnEpochEnd(epochs.append)])
    assert len(epochs) == 2
    fit(other, 32, optimizer=optimizers[1])
    assert_equal_weights(network, other)


def test_memory_that_runs_out_later_ends_training(network, monkeypatch):
    epochs = []
    fails_once(monkeypatch, lambda: len(epochs) == 1)
    with pytest.raises(OutOfMemory, match="a partial sum"):
        fit(network, 64, on_oom="halve", callbacks=[OnEpochEnd(epochs.append)])
    assert len(epochs) == 1


def test_no_batch_is_halved_below_a_row(network):
    network.backend.leave(1000)
    with pytest.raises(OutOfMemory, match="no room for"), pytest.warns(SettingChanged) as said:
        fit(network, 4, on_oom="halve")
    assert [str(each.message) for each in said] == [taking(4, 2), taking(2, 1)]


def test_what_may_be_asked_for(network):
    with pytest.raises(ValueError, match=r'on_oom "half" is not known\. Choose from: stop, halve'):
        fit(network, 4, on_oom="half")

    class Own:
        """An optimizer without a state."""

        prepare = update = reset = print

    with pytest.raises(TypeError, match="optimizer must be one that a checkpoint can hold"):
        fit(network, 4, on_oom="halve", optimizer=Own())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("free", [1000, 5000, 25_000])
def test_predictions_go_on_in_smaller_chunks(network, free, dtype):
    """float32 is read where it lies, float64 is cast chunk by chunk. What they take is free afterwards."""
    given = X.astype(dtype)
    expected = network.predict(given)
    network._predictor._forward._own.buffers = None
    network.backend.leave(free)
    np.testing.assert_allclose(network.predict(given), expected, rtol=1e-5, atol=1e-7)
    network._predictor._forward._own.buffers = None
    assert network.backend.free == free
    network.backend.leave(1 << 20)
    np.testing.assert_array_equal(network.predict(given), expected)


def test_a_chunk_that_runs_out_of_memory_within_is_taken_again(network, monkeypatch):
    """As where a kernel's partial sums have no room: the buffers of that chunk are freed before the next."""
    expected, taken = network.predict(X), []
    compute = ForwardPass._compute

    def failing(forward, backend, batch, x, **given):
        taken.append((batch.rows, backend.free))
        if batch.rows > 20:
            raise OutOfMemory("a partial sum has no room", 8, lambda: 0)
        compute(forward, backend, batch, x, **given)

    monkeypatch.setattr(ForwardPass, "_compute", failing)
    np.testing.assert_allclose(network.predict(X), expected, rtol=1e-5, atol=1e-7)
    rows, free = zip(*taken, strict=True)
    tried = rows[: rows.index(next(n for n in rows if n <= 20)) + 1]
    assert all(less == more // 2 for more, less in pairwise(tried))
    assert sorted(free[: len(tried)]) == list(free[: len(tried)])
    assert sum(n for n in rows if n <= 20) == ROWS


def test_where_a_single_row_has_no_room_it_is_told(network):
    network.backend.leave(100)
    with pytest.raises(OutOfMemory, match="no room for"):
        network.predict(X)


def test_rows_that_have_no_room_are_evaluated_from_the_host(network):
    """Targets, losses and hits are on the device, and X is not."""
    expected = network.evaluate(X, LABELS)
    network.backend.leave(4 * X.size - 1000)
    assert network.evaluate(X, LABELS) == pytest.approx(expected, rel=1e-5)


def test_so_are_those_of_a_validation_after_each_epoch(network):
    """They are those that were given, though the caller changes them later."""
    few, given = (X[:64], LABELS[:64]), X.copy()
    expected = new_network().fit(*few, epochs=2, validation=(X, LABELS))
    network.backend.leave(4 * X.size - 1000)
    history = network.fit(
        *few, epochs=2, validation=(given, LABELS), callbacks=[OnEpochEnd(lambda _: given.fill(9))]
    )
    np.testing.assert_allclose(history.validation_loss, expected.validation_loss, rtol=1e-5)
    np.testing.assert_allclose(history.validation_metric, expected.validation_metric, rtol=1e-5)


def test_a_training_goes_on_with_the_batch_that_it_had(network, tmp_path):
    """On a device with more room too: in the same bits."""
    path, room = tmp_path / "run.safetensors", network.backend.limit
    network.backend.leave(300_000)
    with pytest.warns(SettingChanged):
        fit(network, 1000, on_oom="halve", checkpoint=path)
    network.backend.limit = room
    longer, whole = new_network(), new_network()
    history = longer.fit(X, LABELS, epochs=4, batch_size=1000, on_oom="halve", resume=path)
    assert history.batch_size == 125
    whole.fit(X, LABELS, epochs=4, batch_size=125)
    assert_equal_weights(longer, whole)
    with pytest.raises(CheckpointError, match="here batch_size is 125, and was 600"):
        new_network().fit(X, LABELS, epochs=4, batch_size=125, resume=path)


def test_a_training_that_goes_on_is_halved_too(network, tmp_path):
    path, optimizer, longer = tmp_path / "run.safetensors", Adam(), new_network()
    fit(network, 1000, optimizer=optimizer, checkpoint=path)
    longer.backend.leave(300_000)
    with pytest.warns(SettingChanged, match=taking(1000, 125)):
        history = longer.fit(X, LABELS, Adam(), epochs=4, batch_size=1000, on_oom="halve", resume=path)
    assert (history.epochs, history.batch_size) == (4, 125)
    fit(network, 125, optimizer=optimizer)
    assert_equal_weights(longer, network)


def test_a_reserve_leaves_as_much_as_it_takes(network):
    """So that what is allocated after it has room."""
    backend = network.backend
    forward = ForwardPass(backend, network.stack, gives="outputs")
    backend.leave(30_000)
    forward.reserve(ROWS)
    assert 15_000 <= backend.free < 30_000
    outputs = backend.empty((ROWS, 3))
    left = backend.free
    forward(X.astype(np.float32), outputs=outputs)
    assert left - backend.free < 200  # the row weights of the last chunk
    np.testing.assert_allclose(outputs, new_network().forward(X), rtol=1e-5, atol=1e-6)
