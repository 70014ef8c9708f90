"""Equal rows, start and order give equal bits: at any number of threads, on any build, in any replays.

`test_bits.py` shows it of the engine itself, also with vectors that this processor has not.
"""

import hashlib
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from signal import SIGINT, raise_signal

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.compiled.library import VARIABLE, NotCompiled, library, runnable
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
from threadpoolctl import threadpool_info, threadpool_limits

from fuseprop import Adam, MLPClassifier, MLPRegressor, MomentumSGD, Network, mlp
from fuseprop.data.scaling import Standardizer

try:
    FUNCTIONS = library().functions
except NotCompiled as why:
    pytest.skip(f"steps are not compiled here: {why}", allow_module_level=True)

THREADS = [1, 2, 3, 8]
ROWS, BATCH, SIZES = 1200, 512, [200, 300, 10]
"""Two batches of enough operations for eight threads, and one of 176 rows."""


class Silent:
    """A callback that does nothing."""

    def start(self, epochs, history):
        pass

    def epoch_end(self, history):
        pass

    def end(self, history):
        pass


class Watching(Silent):
    """A callback that is told of every batch, so that each step is a replay of its own."""

    def __init__(self):
        self.batches = 0

    def batch_end(self, history, batch):
        self.batches += 1


def digest(arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def rows(dtype="float32"):
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, SIZES[0])).astype(dtype), rng.integers(0, SIZES[-1], ROWS)


KINDS = {
    "plain": ({}, lambda: MomentumSGD(0.05, 0.6), {}),
    "everything": (
        {"dropout": 0.2, "activation": "gelu"},
        lambda: Adam(0.01, weight_decay=1e-3, clip_norm=0.5),
        {"sample_weight": np.random.default_rng(1).uniform(0.5, 2, ROWS), "norms": True},
    ),
}


def trained(kind, dtype, callbacks=(), sizes=SIZES, **options):
    """Return the digest of what two epochs leave: weights, moments and losses."""
    layers, optimizer, given = KINDS[kind]
    backend, optimizer = NumpyBackend(dtype, replay="compiled"), optimizer()
    network = Network(mlp(sizes, **layers), "softmax_cross_entropy", seed=0, backend=backend)
    X, labels = rows(dtype)
    options = {"epochs": 2, "batch_size": BATCH, "callbacks": callbacks} | given | options
    history = network.fit(X[:, : sizes[0]], labels, optimizer, **options)
    assert backend.not_compiled is None
    weights = [array for pair in network.weights() for array in pair]
    return digest(
        [*weights, *optimizer.moments, np.array(history.train_loss), np.array(history.train_metric)]
    )


@pytest.fixture
def threads():
    """What sets the number of threads; it is as before in the end."""
    before = FUNCTIONS.fuseprop_get_num_threads()
    yield FUNCTIONS.fuseprop_set_num_threads
    FUNCTIONS.fuseprop_set_num_threads(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_at_any_number_of_threads(kind, dtype, threads):
    """And whether a callback watches each batch, which divides an epoch into replays of one step."""
    found = []
    for number in THREADS:
        threads(number)
        watching = Watching()
        found += [trained(kind, dtype), trained(kind, dtype, [watching])]
        assert watching.batches == 6
    assert len(set(found)) == 1


def test_as_threadpoolctl_limits_them():
    """BLAS with them: no number of what is trained comes from there."""
    found = set()
    for number in THREADS:
        with threadpool_limits(number):
            found.add(trained("everything", "float32"))
            ours = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "fuseprop"]
            assert set(ours) == {number}  # other tests of a process load builds of their own
    assert len(found) == 1


@pytest.mark.parametrize("batch_size", [1, 7, 100, ROWS])
def test_at_any_size_of_a_batch(batch_size, threads):
    found = []
    for number in (1, 3):
        threads(number)
        found.append(trained("plain", "float32", sizes=[200, 30, 10], batch_size=batch_size, epochs=1))
    assert len(set(found)) == 1


def test_with_more_threads_than_panels_of_rows(threads):
    """Panels are of fewer rows then."""
    found = set()
    for number in (1, 4, 16):
        threads(number)
        found.add(trained("everything", "float32", sizes=[200, 2000, 10], batch_size=64, epochs=1))
    assert len(found) == 1


def test_other_starts_rows_and_orders_give_other_bits():
    """The comparison can fail."""
    assert trained("plain", "float32") != trained("plain", "float32", shuffle=False)
    assert trained("plain", "float32") != trained("plain", "float32", sizes=[199, 300, 10])


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("estimator_class", [MLPClassifier, MLPRegressor])
def test_estimators_too(estimator_class, solver):
    X, y = rows()
    found = set()
    for number in THREADS:
        with threadpool_limits(number), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of two epochs that are not enough
            model = estimator_class(hidden_layer_sizes=300, solver=solver, random_state=0, max_iter=2)
            model.set_params(batch_size=BATCH).fit(
                X, y if estimator_class is MLPClassifier else (y / 10).astype("float32")
            )
        found.add(digest([*model.coefs_, *model.intercepts_, np.array(model.loss_curve_)]))
    assert len(found) == 1


def fresh(script, **environment):
    """Return the words that a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


ALL = """
import test_trained_bits as these
print(*(these.trained(kind, dtype) for kind in these.KINDS for dtype in ("float32", "float64")))
"""


def test_on_any_build(threads):
    """Each in a process of its own, with other numbers of threads than here."""
    threads(1)
    expected = [trained(kind, dtype) for kind in KINDS for dtype in ("float32", "float64")]
    for build in runnable():
        assert fresh(ALL, **{VARIABLE: build, "FUSEPROP_NUM_THREADS": "3"}) == expected, build


def begun():
    """Return digests of what training begins with: starts of both kinds, orders, scaled rows."""
    rng = np.random.default_rng(0)
    # Not by NumPy's power, whose last bit the instructions decide.
    X = rng.random((1000, 13)) * [float(f"1e{exponent}") for exponent in range(-6, 7)]
    networks = [
        Network(mlp([200, 300, 7], name), "softmax_cross_entropy", seed=3, device="cpu")
        for name in ("sigmoid", "relu")
    ]
    return [
        *(digest(array for pair in network.weights() for array in pair) for network in networks),
        digest(np.random.default_rng(seed).permutation(100_003) for seed in range(5)),
        *(digest([Standardizer.fit(rows).apply(rows)]) for rows in (X, X[:, :1])),
    ]


def test_what_training_begins_with_does_not_depend_on_the_instructions_of_numpy():
    """Where NumPy takes none but those that every processor has, start, order and scaling are as here."""
    there = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
    if not there:
        pytest.skip("NumPy takes no others here")
    script = f"""
import test_trained_bits as these
assert not any(map(these.__cpu_features__.get, {there}))
print(*these.begun())
"""
    assert fresh(script, NPY_DISABLE_CPU_FEATURES=" ".join(there)) == begun()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
def test_a_child_of_a_fork_trains_too(threads):
    """With threads of its own, from where its parent stood; and the parent goes on."""
    threads(3)
    X, labels = rows()
    network = Network(mlp(SIZES), "softmax_cross_entropy", seed=0, device="cpu")
    optimizer = MomentumSGD(0.05, 0.6)

    def learned():
        network.fit(X, labels, optimizer, epochs=1, batch_size=BATCH)
        return digest(array for pair in network.weights() for array in pair)

    learned()
    end, out = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if child == 0:
        try:
            os.write(out, learned().encode())
        finally:
            os._exit(0)
    os.close(out)
    found = os.read(end, 1000).decode()
    os.close(end)
    assert os.waitpid(child, 0)[1] == 0
    assert found == learned()


def test_ctrl_c_within_an_epoch_comes_through_and_training_goes_on():
    many = 2_000_000
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((many, 4), np.float32), rng.integers(0, 2, many)
    network = Network(mlp([4, 64, 2]), "softmax_cross_entropy", seed=0, device="cpu")
    optimizer, pressed = MomentumSGD(0.001, 0.6), []

    def press():
        pressed.append(time.perf_counter())
        raise_signal(SIGINT)

    class Pressing(Silent):
        def start(self, epochs, history):
            threading.Timer(0.3, press).start()

    with pytest.warns(UserWarning, match="interrupted in epoch 1"):
        network.fit(X, labels, optimizer, epochs=1, batch_size=1, shuffle=False, callbacks=[Pressing()])
    assert time.perf_counter() - pressed[0] < 2
    assert 0 < optimizer.steps < many
    history = network.fit(X[:64], labels[:64], optimizer, epochs=3)
    assert np.isfinite(history.train_loss).all()
    assert all(np.isfinite(array).all() for pair in network.weights() for array in pair)
