"""Forward passes by the library: any number of rows, the same bits for each, and what is refused."""

import os
import signal
import threading
import warnings

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.compiled.forward import recognise_forward
from fuseprop_numpy.compiled.step import UnknownStepError
from threadpoolctl import threadpool_limits

from fuseprop import Network, mlp
from fuseprop.backend import Access, Call, Program
from fuseprop.backend.recording import record
from fuseprop.formulas import Activation, Loss, tanh
from fuseprop.layers.targets import encode_targets
from fuseprop.metrics import make_metric
from fuseprop.testing.contract.formulas import ACTIVATION_CASES, LOSS_CASES
from fuseprop.testing.contract.parity import Host
from fuseprop.training.forward import ForwardPass

OWN = Activation("own", lambda z: tanh(z) * z + 0.25)
ROWS = 150
SOFTMAX = "softmax_cross_entropy"


def network_of(sizes, *, loss=SOFTMAX, activation="tanh", dtype="float32", replay="compiled"):
    chosen = LOSS_CASES.get(loss, loss)
    hidden = ACTIVATION_CASES.get(activation, activation)
    return Network(mlp(sizes, hidden), chosen, seed=3, backend=NumpyBackend(dtype, replay=replay))


@pytest.fixture
def compiled():
    if NumpyBackend().replay != "compiled":
        pytest.skip("there is no library of compiled steps")


pytestmark = pytest.mark.usefixtures("compiled")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "sizes", [[1, 1], [3, 2], [5, 33, 1], [9, 8, 7, 3], [40, 65, 17, 31], [20, 300, 130, 64, 10]], ids=str
)
def test_a_row_has_the_same_bits_beside_any_others(sizes, dtype):
    network = network_of(sizes, dtype=dtype, loss="half_squared_error")
    X = np.random.default_rng(0).normal(size=(ROWS, sizes[0])).astype(dtype)
    every = network.predict(X)
    assert network.backend.not_compiled is None
    for count in (1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 31, 32, 33, 64, 65, 128, 129):
        for start in {0, 1, ROWS - count}:
            np.testing.assert_array_equal(network.predict(X[start : start + count]), every[start:][:count])
    calls = network_of(sizes, dtype=dtype, loss="half_squared_error", replay="calls").predict(X)
    np.testing.assert_allclose(every, calls, rtol=0, atol=64 * np.finfo(dtype).eps * np.abs(calls).max())


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_change_no_bit(threads):
    network = network_of([300, 200, 100, 10])
    X = np.random.default_rng(0).normal(size=(1000, 300)).astype(np.float32)
    with threadpool_limits(1):
        alone = network.predict(X)
    with threadpool_limits(threads):
        np.testing.assert_array_equal(network.predict(X), alone)


def forward_of(network, target, rows, gives):
    """Return what computes outputs, losses and hits of rows, with the names of what is asked."""
    backend, stack = network.backend, network.stack
    targets = encode_targets(target, stack.loss, network.layers[-1], rows)
    metric = make_metric(None, stack.loss, network.layers[-1], targets, None)
    forward = ForwardPass(backend, stack, gives=gives, loss=True, metric=metric)
    labels = None if targets.labels is None else targets.labels
    values = targets.values if targets.values is labels else targets.values.astype(backend.dtype)

    def run(X):
        results = [backend.zeros((rows, network.outputs)), backend.zeros((rows,)), backend.zeros((rows,))]
        forward(
            X, target=values, labels=labels, **dict(zip(("outputs", "losses", "hits"), results, strict=True))
        )
        return results

    return run


@pytest.mark.parametrize("gives", ["outputs", "predictions"])
@pytest.mark.parametrize("loss", [*LOSS_CASES, SOFTMAX])
@pytest.mark.parametrize("rows", [6, 50])
def test_losses_hits_and_links_are_those_of_calls(loss, gives, rows):
    """Few rows and many, all losses, links and metrics: equal within the bound of replays."""
    rng = np.random.default_rng(1)
    made = []
    for replay in ("compiled", "calls"):
        network = network_of([5, 9, 3], loss=loss, dtype="float64", replay=replay)
        chosen = network.stack.loss
        rng = np.random.default_rng(1)
        X = rng.normal(size=(rows, 5))
        target = rng.integers(0, 3, rows)
        if isinstance(chosen, Loss):
            target = Host(network.backend).targets(chosen, rows, 3)
        made.append(forward_of(network, target, rows, gives)(X))
    for ours, theirs in zip(*made, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-13)
    assert np.abs(made[0][1]).sum() > 0


@pytest.mark.parametrize("activation", [*ACTIVATION_CASES, OWN], ids=str)
def test_every_activation_goes_forward(activation):
    made = []
    for replay in ("compiled", "calls"):
        network = network_of([4, 21, 6, 2], activation=activation, dtype="float64", replay=replay)
        X = np.random.default_rng(2).normal(size=(40, 4))
        made.append(np.concatenate([network.predict(X), network.predict(X[:3])]))
        assert network.backend.not_compiled is None
    np.testing.assert_allclose(*made, rtol=1e-12)
    np.testing.assert_array_equal(made[0][:3], made[0][40:])


def test_nan_and_infinity_stay_in_their_rows():
    network = network_of([6, 20, 3], loss="half_squared_error")
    X = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    clean = network.predict(X)
    X[10, 2], X[70, 0], X[71] = np.nan, np.inf, -np.inf
    for rows in (X, X[8:13], X[70:72]):
        out = network._predictor(rows)
        touched = ~np.isfinite(rows).all(axis=1)
        assert np.isnan(out[np.isnan(rows).any(axis=1)]).all()
        same = clean[[np.flatnonzero((row == X).all(axis=1))[0] for row in rows[~touched]]]
        np.testing.assert_array_equal(out[~touched], same)


def test_weights_are_those_of_the_moment():
    """Nothing of a network is kept from one call to the next, for few rows or many."""
    network = network_of([6, 20, 3])
    X = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    network.predict(X)
    network.predict(X[:1])
    network.set_weights([(w * 2, b + 1) for w, b in network.weights()])
    fresh = network_of([6, 20, 3])
    fresh.set_weights(network.weights())
    np.testing.assert_array_equal(network.predict(X), fresh.predict(X))
    np.testing.assert_array_equal(network.predict(X[:1]), fresh.predict(X[:1]))


def test_many_threads_may_ask_one_network():
    network = network_of([30, 40, 3])
    X = np.random.default_rng(0).normal(size=(900, 30)).astype(np.float32)
    every, wrong = network.predict(X), []

    def ask(seed):
        rng = np.random.default_rng(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(100):
                start, count = rng.integers(0, 800), rng.choice([1, 3, 20, 90])
                got = network.predict(X[start : start + count])
                if not np.array_equal(got, every[start : start + count]):
                    wrong.append((start, count))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def compiled_pass(network):
    """What the library takes the predictions of a network by."""
    return network._predictor._forward._run


@pytest.mark.parametrize("at_once", [3, 64, 100])
def test_rows_may_come_in_many_calls_of_the_library(at_once, monkeypatch):
    network = network_of([6, 20, 3])
    X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    every = network.predict(X)
    monkeypatch.setattr(compiled_pass(network), "_at_once", at_once)
    np.testing.assert_array_equal(network.predict(X), every)
    network.set_weights([(w * 2, b + 1) for w, b in network.weights()])
    fresh = network_of([6, 20, 3])
    fresh.set_weights(network.weights())
    np.testing.assert_array_equal(network.predict(X), fresh.predict(X))


def test_an_interrupt_in_the_midst_of_rows_leaves_a_network_that_answers(monkeypatch):
    network = network_of([6, 20, 3])
    X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    every, compiled = network.predict(X), compiled_pass(network)
    call, counts = compiled._call, []

    def interrupted(handle, count, *rest):
        counts.append(count)
        call(handle, count, *rest)
        if len(counts) == 2:
            raise KeyboardInterrupt
        return 0

    with monkeypatch.context() as patched:
        patched.setattr(compiled, "_at_once", 64)
        patched.setattr(compiled, "_call", interrupted)
        with pytest.raises(KeyboardInterrupt):
            network.predict(X)
    assert counts == [64, 64]
    np.testing.assert_array_equal(network.predict(X), every)


def test_a_signals_handler_may_ask_the_network_that_is_asked(monkeypatch):
    """Its answer, and the one that it came into the midst of, are what they are alone."""
    network = network_of([6, 20, 3])
    X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    every, compiled = network.predict(X), compiled_pass(network)
    call, answers = compiled._call, []

    def handling(*arguments):
        made = call(*arguments)
        if not answers:
            answers.append(None)
            answers[0] = network.predict(X[50:150])
        return made

    monkeypatch.setattr(compiled, "_at_once", 64)
    monkeypatch.setattr(compiled, "_call", handling)
    np.testing.assert_array_equal(network.predict(X), every)
    np.testing.assert_array_equal(answers[0], every[50:150])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_answers_though_a_thread_of_its_parent_was_answering(monkeypatch):
    network = network_of([6, 20, 3])
    X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    every, compiled = network.predict(X), compiled_pass(network)
    call, inside, forked = compiled._call, threading.Event(), threading.Event()

    def waiting(*arguments):
        inside.set()
        forked.wait()
        return call(*arguments)

    monkeypatch.setattr(compiled, "_call", waiting)
    asking = threading.Thread(target=network.predict, args=(X,))
    asking.start()
    inside.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, since Python 3.12
        child = os.fork()
    if not child:
        signal.alarm(20)  # ends the child if it waits for a thread that it does not have
        compiled._call = call
        os._exit(not np.array_equal(network.predict(X), every))
    forked.set()
    asking.join()
    assert os.waitpid(child, 0)[1] == 0
    monkeypatch.undo()
    np.testing.assert_array_equal(network.predict(X), every)


def pass_of(backend, network):
    """Return a forward pass of one row as a program, and its arrays of rows."""
    x, h, y = backend.empty((1, 4)), backend.empty((1, 5)), backend.empty((1, 2))
    program = record(backend, lambda recorder: network.stack.forward(recorder, x, [h, y]), [h])
    return program, x, h, y


def test_what_is_no_forward_pass_is_refused():
    backend = NumpyBackend("float64", replay="compiled")
    network = Network(mlp([4, 5, 2], "tanh"), SOFTMAX, seed=0, backend=backend)
    program, x, h, y = pass_of(backend, network)
    other = backend.empty((1, 2))

    def refused(because, calls, arrays, scratch=(h,)):
        with pytest.raises(UnknownStepError, match=because):
            recognise_forward(Program(tuple(calls), scratch), arrays, backend.dtype)
        assert backend.by_rows(Program(tuple(calls), scratch), arrays) is None
        assert backend.not_compiled is not None

    calls = program.calls
    assert recognise_forward(program, [x, y], backend.dtype).given == ["x", "outputs"]
    refused("x of a forward pass", calls, [y])
    refused("outputs of a forward pass", calls, [x])
    refused("plays no part", calls, [x, y, other])
    refused("are to be kept", calls, [x, y], ())
    refused("no part of a forward pass", [*calls, Call("copy", (y,), {"out": other})], [x, y])
    mine = Call("mine", (y,), {}, Access.of(lambda self, x: None, reads="x"))
    refused("no part of", [*calls, mine], [x, y])
    refused("computed by no calls", calls[1:], [x, y])
    refused("last outputs", calls[:0], [x, y])
    refused("nobody asks", [*calls, Call("softmax", (y,), {"out": other})], [x, y], (h, y, other))


def test_arrays_of_another_kind_are_refused():
    """The library looks at no bounds."""
    backend = NumpyBackend("float64", replay="compiled")
    network = Network(mlp([4, 5, 2], "tanh"), SOFTMAX, seed=0, backend=backend)
    program, x, _, y = pass_of(backend, network)
    run = backend.by_rows(program, [x, y])
    X, out = np.ones((7, 4)), np.zeros((7, 2))
    run(X, out)
    assert out.any()
    for wrong in (
        (X.astype(np.float32), out),
        (X[:, :3], out),
        (X, out[:6]),
        (X[::2], out[:4]),
        (np.asfortranarray(X), out),
        (X, np.zeros((7, 3))),
    ):
        with pytest.raises(ValueError, match="expected rows of float64"):
            run(*wrong)
    run(X[:0], out[:0])
