"""The next epoch's order goes to the device before the host waits for this one, and nobody can tell."""

from copy import deepcopy
from itertools import count

import numpy as np
import pytest

from fuseprop import DivergenceError, MomentumSGD, Network, mlp
from fuseprop.backend import INTEGER
from fuseprop.callbacks import OnEpochEnd
from fuseprop.training.orders import Orders, shuffled, unchanged

ROWS, BATCH = 30, 8
GENERATORS = [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64]


@pytest.fixture
def backend(backend, monkeypatch):
    """A backend that is believed to work beside the host."""
    if backend.device == "cpu":
        monkeypatch.setattr(backend, "device", "cpu:1")
    return backend


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, 4)), rng.integers(0, 3, ROWS)


def classifier(backend):
    return Network(mlp([4, 6, 3]), "softmax_cross_entropy", seed=0, backend=backend)


def fit(network, optimizer=None, **options):
    X, y = data()
    return network.fit(X, y, optimizer or MomentumSGD(0.1), **{"batch_size": BATCH} | options)


def weights_of(network):
    return [array.tobytes() for layer in network.weights() for array in layer]


def permutations(generator, times):
    return [generator.permutation(ROWS).tolist() for _ in range(times)]


class Sent(list):
    """What was sent, order by order."""

    def orders(self, generator, epochs, **options):
        send = lambda order: self.append(order.tolist())  # noqa: E731
        return Orders(
            generator, np.arange(ROWS), epochs, **{"draw": shuffled, "send": send, "ahead": True} | options
        )


@pytest.mark.parametrize("kind", GENERATORS)
def test_each_order_is_sent_once_one_ahead(kind):
    generator, sent = np.random.Generator(kind(1)), Sent()
    expected = permutations(deepcopy(generator), 3)
    orders = sent.orders(generator, 3)
    for epoch in (1, 2, 3):
        assert orders.begin().tolist() == expected[epoch - 1]
        orders.send_next()
        assert sent == expected[: epoch + 1]


def test_nothing_is_sent_ahead_to_where_the_host_itself_computes():
    generator, sent = np.random.default_rng(1), Sent()
    expected = permutations(deepcopy(generator), 2)
    orders = sent.orders(generator, 2, ahead=False)
    for epoch in (1, 2):
        assert orders.begin().tolist() == expected[epoch - 1]
        orders.send_next()
        assert sent == expected[:epoch]


@pytest.mark.parametrize("kind", GENERATORS)
def test_the_generator_has_drawn_what_has_begun(kind):
    generator = np.random.Generator(kind(1))
    reference, orders = deepcopy(generator), Sent().orders(generator, 9)
    for _ in range(3):
        orders.begin()
        orders.send_next()
        reference.permutation(ROWS)
        assert deepcopy(generator).integers(2**63) == deepcopy(reference).integers(2**63)


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize("early", [True, False], ids=["before it is sent", "after it is sent"])
def test_an_order_comes_after_what_others_draw(kind, early):
    generator, sent = np.random.Generator(kind(1)), Sent()
    reference, orders = deepcopy(generator), sent.orders(generator, 9)
    for _ in range(3):
        order = orders.begin().tolist()
        assert [order] == permutations(reference, 1)
        assert sent[-1] == order
        if early:
            generator.normal()
        orders.send_next()
        if not early:
            generator.normal()
        reference.normal()


def test_rows_as_they_come_draw_nothing():
    generator, sent = np.random.default_rng(1), Sent()
    before, orders = generator.bit_generator.state, sent.orders(generator, 2, draw=unchanged)
    for _ in range(2):
        assert orders.begin().tolist() == list(range(ROWS))
        orders.send_next()
    assert len(sent) == 2
    assert generator.bit_generator.state == before


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_next_order_is_on_its_way_before_the_host_waits(backend, monkeypatch, weighted, shuffle):
    """And after all that this epoch is asked for: steps, norms, validation, the weights' sum of squares."""
    events, own = [], {name: getattr(backend, name) for name in ("compile", "from_host", "to_host")}

    def compiled(program):
        replay = own["compile"](program)
        return lambda times: events.append("steps") or replay(times)

    def from_host(array, *, out=None, dtype=None):
        if out is not None and out.shape == (ROWS,):
            events.append("order" if out.dtype == INTEGER else "row weights")
        return own["from_host"](array, out=out, dtype=dtype)

    def sum_squares(array, *, out, asked=backend.sum_squares):
        events.append("squares")
        asked(array, out=out)

    network = classifier(backend)
    validation = (np.zeros((5, 4)), np.zeros(5, int))
    for name, stand_in in (
        ("compile", compiled),
        ("from_host", from_host),
        ("sum_squares", sum_squares),
        ("to_host", lambda array: events.append("read") or own["to_host"](array)),
    ):
        monkeypatch.setattr(backend, name, stand_in)
    asked = {"sample_weight": np.ones(ROWS)} if weighted else {}
    fit(network, epochs=3, norms=True, validation=validation, shuffle=shuffle, **asked)
    monkeypatch.undo()
    sent = ["order", "row weights"] if weighted else ["order"]
    of_an_epoch = ["steps", "steps", *["squares"] * 5]  # of two layers' gradients and weights, and of all
    assert events == [*sent, *2 * [*of_an_epoch, *sent, "read"], *of_an_epoch, "read"]


@pytest.mark.replays
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_epochs_together_are_epochs_one_by_one(backend, weighted, shuffle):
    """Nothing goes ahead of a last epoch: fits of one epoch each draw as they come to it."""
    X, y = data()
    asked = {"shuffle": shuffle, "validation": (X[:5], y[:5])}
    if weighted:
        asked["sample_weight"] = np.random.default_rng(2).uniform(0, 2, ROWS)
    together, apart = classifier(backend), classifier(backend)
    history = fit(together, epochs=5, **asked)
    optimizer = MomentumSGD(0.1)
    losses = [fit(apart, optimizer, epochs=1, **asked).train_loss[0] for _ in range(5)]
    assert history.train_loss == losses
    assert weights_of(together) == weights_of(apart)
    assert together.rng.bit_generator.state == apart.rng.bit_generator.state


class Boom(Exception):
    pass


class Ending:
    """A callback that ends training, in one of many ways, when it has been told of something so often."""

    def __init__(self, what, times, how):
        self._what, self._times, self._how = what, times, how

    def start(self, epochs, history):
        pass

    def end(self, history):
        pass

    def epoch_end(self, history):
        self._tell("epoch", history)

    def _tell(self, what, history):
        if what == self._what:
            self._times -= 1
            if not self._times:
                self._how(history)


class EndingInABatch(Ending):
    def batch_end(self, history, batch):
        self._tell("batch", history)


def ctrl_c(history):
    raise KeyboardInterrupt


def boom(history):
    raise Boom


def enough(history):
    history.stop("enough")


ENDS = {
    "stopped": (Ending, "epoch", 2, enough, 2),
    "ctrl-c after an epoch": (Ending, "epoch", 3, ctrl_c, 3),
    "ctrl-c in an epoch": (EndingInABatch, "batch", 10, ctrl_c, 3),  # of 4 batches each
    "an error after an epoch": (Ending, "epoch", 2, boom, 2),
    "an error in an epoch": (EndingInABatch, "batch", 5, boom, 2),
}


@pytest.mark.filterwarnings("ignore:training interrupted")
@pytest.mark.parametrize("end", ENDS)
def test_however_training_ends_it_has_drawn_for_the_epochs_that_began(backend, end):
    kind, *when, epochs = ENDS[end]
    network = classifier(backend)
    reference = deepcopy(network.rng)
    try:
        fit(network, epochs=9, callbacks=[kind(*when)])
    except Boom:
        assert "error" in end
    permutations(reference, epochs)
    assert network.rng.bit_generator.state == reference.bit_generator.state


def test_ctrl_c_while_the_host_waits(backend, monkeypatch):
    network = classifier(backend)
    reference, read, reads = deepcopy(network.rng), backend.to_host, count(1)

    def interrupted(array):
        if next(reads) == 3:
            raise KeyboardInterrupt
        return read(array)

    monkeypatch.setattr(backend, "to_host", interrupted)
    with pytest.warns(UserWarning, match="interrupted in epoch 3"):
        fit(network, epochs=9)
    permutations(reference, 3)
    assert network.rng.bit_generator.state == reference.bit_generator.state


def test_steps_are_counted_where_an_epoch_is_interrupted(backend):
    """By the cursor, which went back to the start before the epoch began."""
    optimizer = MomentumSGD(0.1)
    with pytest.warns(UserWarning, match="interrupted in epoch 3"):
        fit(classifier(backend), optimizer, epochs=9, callbacks=[EndingInABatch("batch", 10, ctrl_c)])
    assert optimizer.steps == 10


@pytest.mark.replays
def test_training_goes_on_after_it_was_stopped(backend):
    whole, stopped = classifier(backend), classifier(backend)
    fit(whole, epochs=5)
    optimizer = MomentumSGD(0.1)
    fit(stopped, optimizer, epochs=9, callbacks=[Ending("epoch", 2, enough)])
    fit(stopped, optimizer, epochs=3)
    assert weights_of(whole) == weights_of(stopped)


def test_a_callback_may_draw_too(backend):
    """As it would between fits of one epoch each."""
    together, apart = classifier(backend), classifier(backend)
    drawn = []
    fit(together, epochs=4, callbacks=[OnEpochEnd(lambda history: drawn.append(together.rng.normal()))])
    optimizer = MomentumSGD(0.1)
    for number in drawn:
        fit(apart, optimizer, epochs=1)
        assert apart.rng.normal() == number
    assert weights_of(together) == weights_of(apart)


@pytest.mark.replays
@pytest.mark.parametrize("weighted", [True, False])
def test_an_explosion_is_looked_for_in_its_own_epoch(backend, weighted):
    """The error of a first epoch is the same whether another order was on the device already or not."""
    asked = {"sample_weight": np.random.default_rng(2).uniform(0.5, 2, ROWS)} if weighted else {}
    found = []
    for epochs in (1, 9):
        network = classifier(backend)
        with pytest.raises(DivergenceError) as caught:
            fit(network, MomentumSGD(float(np.finfo(backend.dtype).max) / 2), epochs=epochs, **asked)
        found.append((str(caught.value), weights_of(network), network.rng.bit_generator.state))
    assert found[0] == found[1]
