"""A wide batch shared among threads: the same step, in parts."""

import threading

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy import shared as module
from fuseprop_numpy.parts import CannotCutError, cut, more_like
from fuseprop_numpy.replay.compile import CompiledProgram
from fuseprop_numpy.shared import Shared, shared_parts, side_by_side

from fuseprop import Adam, MomentumSGD, Network, mlp
from fuseprop.backend import Call, Program
from fuseprop.layers.targets import encode_targets
from fuseprop.training.epoch import Epoch
from fuseprop.training.rows import Rows

ROWS, BATCH = 70, 24  # three batches, the last one partial


def training_of(
    loss="softmax_cross_entropy",
    optimizer=None,
    weighted=False,
    sizes=(6, 24, 9, 3),
    activation="tanh",
    **options,
):
    backend = NumpyBackend("float64", replay="calls")
    network = Network(mlp(sizes, activation, **options), loss, seed=0, backend=backend)
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(ROWS, sizes[0])), rng.integers(0, sizes[-1], ROWS)
    target = labels if loss == "softmax_cross_entropy" else rng.uniform(size=(ROWS, sizes[-1]))
    weights = rng.uniform(0.5, 2.0, ROWS) if weighted else None
    rows = Rows(X, encode_targets(target, network.stack.loss, network.layers[-1], ROWS), weights)
    optimizer = optimizer or MomentumSGD(0.1, 0.6, 1e-3)
    made = Epoch(backend, network.stack, None, optimizer, rows, batch_size=BATCH)
    optimizer.prepare(network.stack.parameters, len(made.batches))
    made.send(rng.permutation(ROWS))
    return made


def learn(training, make):
    for batch in training.batches:
        make(training.backend, training.program(batch))(1)
    parameters, epoch = training.stack.parameters, training.state
    return [parameters.values, parameters.gradients, epoch.losses, epoch.hits, epoch.cursor]


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("rule", ["momentum", "adam"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy", "half_squared_error"])
def test_an_epoch_in_parts_is_an_epoch(loss, weighted, rule, count):
    def made():
        optimizer = MomentumSGD(0.1, 0.6, 1e-3, nesterov=True) if rule == "momentum" else Adam(0.01)
        return training_of(loss, optimizer, weighted)

    whole = learn(made(), lambda backend, program: CompiledProgram(backend, program).run)
    in_parts = [
        learn(made(), lambda backend, program: Shared(backend, program, cut(program, count)).run)
        for _ in range(2)
    ]
    for actual, again, expected in zip(*in_parts, whole, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(actual, again)


@pytest.mark.parametrize("rule", [MomentumSGD, Adam])
def test_parts_keep_their_sums(rule):
    """Where f' is one of z, each part keeps those of its rows; the moments are cut along the parameters."""

    def made():
        return training_of("half_squared_error", rule(0.01), activation="gelu")

    whole = learn(made(), lambda backend, program: CompiledProgram(backend, program).run)
    parts = learn(made(), lambda backend, program: Shared(backend, program, cut(program, 3)).run)
    for actual, expected in zip(parts, whole, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-15)


def test_only_wide_batches_are_shared(monkeypatch):
    training = training_of()
    program = training.program(training.batches[0])
    monkeypatch.setattr(module.ONE_THREAD, "outside", lambda: 4)
    assert shared_parts(program) is None
    monkeypatch.setattr(module, "MULTIPLICATIONS", 10)
    assert shared_parts(program) is None
    monkeypatch.setattr(module, "ROWS_EACH", 6)
    assert len(shared_parts(program).rows) == 4
    monkeypatch.setattr(module, "ROWS_EACH", 7)
    assert shared_parts(program) is None
    monkeypatch.setattr(module, "ROWS_EACH", 6)
    monkeypatch.setattr(module.ONE_THREAD, "outside", lambda: 1)
    assert shared_parts(program) is None


def test_fit_shares(monkeypatch):
    """The whole way: what `fit` gives is what it gives alone."""
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(ROWS, 6)), rng.integers(0, 3, ROWS)

    def weights():
        backend = NumpyBackend("float64", replay="calls")
        network = Network(mlp([6, 24, 3]), "softmax_cross_entropy", seed=0, backend=backend)
        network.fit(X, labels, epochs=3, batch_size=BATCH)
        return network.weights()

    alone, names = weights(), set()
    monkeypatch.setattr(module.ONE_THREAD, "outside", lambda: 3)
    monkeypatch.setattr(module, "MULTIPLICATIONS", 10)
    monkeypatch.setattr(module, "ROWS_EACH", 6)
    run = Shared.run
    monkeypatch.setattr(Shared, "run", lambda self, times: (names.add("shared"), run(self, times)))
    together = weights()
    assert names == {"shared"}
    for (w, b), (w_alone, b_alone) in zip(together, alone, strict=True):
        np.testing.assert_allclose(w, w_alone, rtol=1e-11)
        np.testing.assert_allclose(b, b_alone, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("options", [{"dropout": 0.5}, {"optimizer": MomentumSGD(clip_norm=1.0)}], ids=str)
def test_what_looks_at_the_whole_batch_is_not_cut(options):
    training = training_of(**options)
    with pytest.raises(CannotCutError):
        cut(training.program(training.batches[0]), 2)


def test_a_program_without_an_update_is_not_cut():
    with pytest.raises(CannotCutError):
        cut(Program((Call("advance", (np.zeros(1, np.int64), 1), {}),)), 2)


def test_all_steps_of_a_network_share_their_gradients():
    flat = np.zeros(7)
    first, second = more_like(flat, 2)
    assert more_like(flat, 1)[0] is first
    assert more_like(flat, 3)[1] is second
    del flat
    assert more_like(np.zeros(7), 1)[0] is not first


def test_errors_and_floating_point_settings_cross_threads():
    def fail():
        raise RuntimeError("on purpose")

    done = threading.Event()
    with pytest.raises(RuntimeError, match="on purpose"):
        side_by_side([lambda: None, fail])
    with pytest.raises(RuntimeError, match="on purpose"):
        side_by_side([fail, done.set])
    assert done.is_set()
    big, out = np.array([1e300]), np.zeros(1)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        side_by_side([lambda: None, lambda: np.multiply(big, big, out=out)])
    with np.errstate(over="ignore"):
        side_by_side([lambda: None, lambda: np.multiply(big, big, out=out)])
    assert np.isinf(out[0])
