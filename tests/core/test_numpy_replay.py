"""The NumPy backend's replay of a program by the calls of its operations."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.operations import NumpyOperations
from fuseprop_numpy.operations.calls import bound, make
from fuseprop_numpy.replay import bound_calls, replay_calls

from fuseprop import Adam, MomentumSGD, Network, mlp
from fuseprop.backend import Call, Program
from fuseprop.layers.targets import encode_targets
from fuseprop.training.epoch import Epoch
from fuseprop.training.rows import Rows
from fuseprop.training.step import gradient_step

BATCH = 8
FLOAT64 = np.dtype(np.float64)


def training_of(optimizer=None, replay="calls", *, loss="softmax_cross_entropy", outputs=3, **options):
    backend = NumpyBackend("float64", replay=replay)
    network = Network(mlp([5, 7, outputs], **options), loss, seed=0, backend=backend)
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(2 * BATCH, 5)), rng.integers(0, outputs, 2 * BATCH)
    target = labels if loss == "softmax_cross_entropy" else rng.uniform(size=(2 * BATCH, outputs))
    targets = encode_targets(target, network.stack.loss, network.layers[-1], 2 * BATCH)
    optimizer = optimizer or MomentumSGD(0.1, 0.6)
    rows = Rows(X, targets, rng.uniform(0.5, 2.0, 2 * BATCH))
    training = Epoch(backend, network.stack, None, optimizer, rows, batch_size=BATCH)
    optimizer.prepare(network.stack.parameters, 2)
    training.send(rng.permutation(2 * BATCH))
    return training


def left(training):
    parameters, state = training.stack.parameters, training.state
    return [parameters.values, parameters.gradients, state.losses, state.hits, state.cursor]


@pytest.mark.parametrize(
    ("loss", "outputs"),
    [("softmax_cross_entropy", 3), ("softmax_cross_entropy", 70), ("mean_squared_error", 3), ("huber", 1)],
)
@pytest.mark.parametrize("optimizer", [lambda: MomentumSGD(0.1, 0.6, 1e-3, clip_norm=0.5), Adam])
@pytest.mark.parametrize("activation", ["sigmoid", "gelu"])
def test_a_replay_is_the_recorded_calls(activation, optimizer, loss, outputs):
    options = {"loss": loss, "outputs": outputs, "activation": activation, "dropout": 0.3}
    called, replayed = (training_of(optimizer(), replay, **options) for replay in ("eager", "calls"))
    for training in (called, replayed):
        program = training.program(training.batches[0])
        training.backend.compile(program)(2)
    for actual, expected in zip(left(replayed), left(called), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-16)
    assert replayed.state.cursor == 2 * BATCH


def test_an_operation_makes_the_calls_that_it_gives():
    backend = NumpyBackend("float64")
    a, b, outs = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4), np.zeros((2, 2, 4))
    backend.matmul(a, b, out=outs[0])
    given = bound(NumpyOperations(FLOAT64), Call("matmul", (a, b), {"out": outs[1]}))
    ((function, arguments),) = given
    assert function is np.dot
    assert not outs[1].any()
    function(*arguments)
    np.testing.assert_array_equal(outs, [a @ b, a @ b])


def test_what_looks_at_numbers_is_one_call_of_itself():
    """A position, or a norm: what a call does with arrays depends on what they hold."""
    cursor, order, source, out = np.array([1]), np.array([2, 0, 1]), np.arange(3.0), np.zeros(2)
    gather = Call("take_rows", (source, order, cursor), {"out": out})
    calls = bound_calls(NumpyBackend(), Program((gather, Call("advance", (cursor, -1), {}))))
    assert len(calls) == 2
    make(calls)
    assert out.tolist() == [0.0, 1.0]
    make(calls)
    assert out.tolist() == [2.0, 0.0]
    assert cursor == -1


def test_programs_share_no_temporary_array():
    """Two threads replay two programs at the same time: each makes its calls between those of the other."""
    programs, outs = [], []
    together = Barrier(2, timeout=60)
    rng = np.random.default_rng(0)
    for _ in range(2):
        logits, labels, weights = rng.normal(size=(6, 4)), rng.integers(0, 4, 6), np.ones(6)
        out = {"losses": np.zeros(6), "gradient": np.zeros((6, 4))}
        outs.append((out, logits, labels, weights))
        programs.append(Program((Call("softmax_cross_entropy", (logits, labels, weights), out),)))
    calls = [bound_calls(NumpyBackend("float64"), program) for program in programs]

    def by_turns(mine):
        for function, arguments in mine:
            together.wait()
            function(*arguments)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(by_turns, calls))
    for out, *operands in outs:
        alone = {name: np.zeros_like(array) for name, array in out.items()}
        NumpyOperations(FLOAT64).softmax_cross_entropy(*operands, **alone)
        for name, array in out.items():
            np.testing.assert_array_equal(array, alone[name])


def test_operations_of_a_subclass_are_called():
    class Twice(NumpyBackend):
        def matmul(self, a, b, *, out):
            super().matmul(a, b, out=out)
            out *= 2

    a, outs = np.arange(6.0).reshape(2, 3), np.zeros((2, 2, 2))
    for backend, out in zip((NumpyBackend("float64", replay="calls"), Twice("float64")), outs, strict=True):
        backend.compile(Program((Call("matmul", (a, a.T), {"out": out}),)))(1)
    np.testing.assert_array_equal(outs, [a @ a.T, 2 * (a @ a.T)])


def test_no_step_leaves_the_program_as_it_was():
    training = training_of()
    before = [array.copy() for array in left(training)]
    replay_calls(training.backend, training.program(training.batches[0]))(0)
    for actual, expected in zip(left(training), before, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_decay_may_come_and_go():
    """It is a setting like the others: a replay goes by what it is when it runs."""
    called, replayed = (training_of(MomentumSGD(0.1, 0.6, 0.1), replay) for replay in ("eager", "calls"))
    runs = [each.backend.compile(each.program(each.batches[0])) for each in (called, replayed)]
    for decay in (0.1, 0.0, 0.1):
        for training, run in zip((called, replayed), runs, strict=True):
            training.state.cursor[0] = 0
            settings = next(c for c in training.program(training.batches[0]).calls if c.operation == "update")
            settings.operands[3][-1] = decay
            run(1)
    expected = called.stack.parameters.values
    np.testing.assert_allclose(replayed.stack.parameters.values, expected, rtol=1e-13, atol=1e-16)


def test_gradients_at_a_learning_rate_of_zero():
    """They cannot have been scaled by it."""
    called, replayed = (training_of(MomentumSGD(lambda epoch: 0.0)) for _ in range(2))
    step = called.stack, called.metric, called.examples, called.state, called.batches[0]
    gradient_step(called.backend, *step)
    replayed.backend.compile(replayed.program(replayed.batches[0]))(1)
    expected = called.stack.parameters.gradients
    np.testing.assert_allclose(replayed.stack.parameters.gradients, expected, rtol=1e-13, atol=1e-16)
    assert np.abs(expected).max() > 1e-3
