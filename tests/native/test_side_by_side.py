"""Trainings side by side, in threads and processes of every kind: bits as alone, limits kept and restored."""

import asyncio
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier

import joblib
import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.compiled.library import NotCompiled, library
from fuseprop_numpy.threads.blas_limit import ONE_THREAD
from threadpoolctl import threadpool_info, threadpool_limits

from fuseprop import MomentumSGD, Network, mlp
from fuseprop.callbacks import OnEpochEnd

try:
    FUNCTIONS = library().functions
except NotCompiled as why:
    pytest.skip(f"steps are not compiled here: {why}", allow_module_level=True)

SIZES, ROWS, BATCH = [200, 300, 5], 600, 256
"""Steps of enough operations for all three threads."""


@pytest.fixture(autouse=True)
def three_threads():
    before = FUNCTIONS.fuseprop_get_num_threads()
    FUNCTIONS.fuseprop_set_num_threads(3)
    yield
    assert FUNCTIONS.fuseprop_get_num_threads() == 3, "the limit is not as before"
    FUNCTIONS.fuseprop_set_num_threads(before)


def rows():
    rng = np.random.default_rng(0)
    return rng.standard_normal((ROWS, SIZES[0]), np.float32), rng.integers(0, SIZES[-1], ROWS)


def trained(seed, callbacks=()):
    """Return the bytes of all weights after an epoch."""
    X, labels = rows()
    network = Network(mlp(SIZES), "softmax_cross_entropy", seed=seed, device="cpu")
    network.fit(X, labels, MomentumSGD(0.05, 0.6), epochs=2, batch_size=BATCH, callbacks=callbacks)
    return b"".join(array.tobytes() for pair in network.weights() for array in pair)


def trained_within_limits(seed):
    """Return also how many threads a worker's steps may take."""
    bits = trained(seed)
    return bits, library().functions.fuseprop_get_num_threads()


def within(seeds):
    """Return what workers of a worker train."""
    return joblib.Parallel(n_jobs=2)(joblib.delayed(trained)(seed) for seed in seeds)


@pytest.fixture(scope="module")
def alone():
    return [trained(seed) for seed in range(8)]


def test_eight_networks_in_eight_threads(alone):
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(trained, range(8))) == alone


def test_networks_of_asyncio(alone):
    async def all_of_them():
        return await asyncio.gather(*(asyncio.to_thread(trained, seed) for seed in range(4)))

    assert asyncio.run(all_of_them()) == alone[:4]


def test_a_training_within_a_training(alone):
    inner = []

    class Trains:
        def start(self, epochs, history):
            pass

        def epoch_end(self, history):
            with threadpool_limits(1):
                inner.append(trained(history.epochs))

        def end(self, history):
            inner.append(FUNCTIONS.fuseprop_get_num_threads())

    assert trained(0, [Trains()]) == alone[0]
    assert inner == [alone[1], alone[2], 3]


def test_threads_and_workers_of_joblib(alone):
    """Its workers have the inner limit that they were given, also where they have workers of their own."""
    with joblib.parallel_config(backend="threading", n_jobs=4):
        assert joblib.Parallel()(joblib.delayed(trained)(seed) for seed in range(4)) == alone[:4]
    with joblib.parallel_config(backend="loky", inner_max_num_threads=2, n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(trained_within_limits)(seed) for seed in range(3))
        nested = joblib.Parallel()(joblib.delayed(within)(seeds) for seeds in ([0, 1], [2, 3]))
    assert found == [(bits, 2) for bits in alone[:3]]
    assert [*nested[0], *nested[1]] == alone[:4]


def test_workers_that_begin_anew(alone):
    with get_context("spawn").Pool(1) as workers:
        assert workers.map(trained, [0]) == alone[:1]


def test_limits_are_restored_after_a_failure_and_ctrl_c():
    def failing(error):
        def fail(history):
            raise error

        return [OnEpochEnd(fail)]

    before = threadpool_info()
    with threadpool_limits(2):
        with pytest.raises(RuntimeError, match="on purpose"):
            trained(0, failing(RuntimeError("on purpose")))
        with pytest.warns(UserWarning, match="interrupted"):
            trained(0, failing(KeyboardInterrupt()))
        assert FUNCTIONS.fuseprop_get_num_threads() == 2
    assert threadpool_info() == before


def test_the_limit_of_calls_is_restored_after_ctrl_c_in_a_training_within_a_training_of_each_thread():
    """Those hold BLAS at one thread."""
    X, labels = rows()
    at_once = Barrier(4, timeout=60)

    def fit(depth):
        def train_within(history):
            if depth:
                fit(depth - 1)
                raise RuntimeError("on purpose")
            at_once.wait()
            raise KeyboardInterrupt

        backend = NumpyBackend(replay="calls")
        network = Network(mlp([200, 10, 5]), "softmax_cross_entropy", seed=0, backend=backend)
        network.fit(X, labels, epochs=2, batch_size=BATCH, callbacks=[OnEpochEnd(train_within)])

    before = threadpool_info()
    with ThreadPoolExecutor(4) as threads, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of trainings that were interrupted
        errors = [each.exception() for each in [threads.submit(fit, 2) for _ in range(4)]]
    assert [str(error) for error in errors] == ["on purpose"] * 4
    assert threadpool_info() == before
    assert ONE_THREAD.holders == 0


LIMITS = """
import os, threading, time
import test_side_by_side as these
from threadpoolctl import threadpool_limits

def ticks():
    "Return the time that threads have taken that are not Python's; None where there are none."
    found = []
    for task in os.listdir("/proc/self/task"):
        name, _, rest = open(f"/proc/self/task/{task}/stat").read().partition("(")[2].rpartition(")")
        if name == "fuseprop":
            words = rest.split()
            found.append(int(words[11]) + int(words[12]))
    return sum(found) if found else None

def wait(holds):
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)

class Ends(Exception):
    pass

class Watch:
    epochs = 0
    ends = False
    def start(self, epochs, history):
        pass
    def epoch_end(self, history):
        self.epochs += 1
        if self.ends:
            raise Ends
    def end(self, history):
        pass

def goes_on(epochs=20):
    last = watch.epochs + epochs
    wait(lambda: watch.epochs >= last)

def train():
    X, labels = these.rows()
    network = these.Network(these.mlp(these.SIZES), "softmax_cross_entropy", seed=0, device="cpu")
    try:
        network.fit(X, labels, epochs=10**9, batch_size=these.BATCH, callbacks=[watch])
    except Ends:
        pass

watch, training = Watch(), threading.Thread(target=train)
these.FUNCTIONS.fuseprop_set_num_threads(3)
with threadpool_limits(1):
    training.start()
    goes_on()
    assert ticks() is None  # compiled for one thread
wait(lambda: (ticks() or 0) > 3)  # and now others help
with threadpool_limits(1):
    goes_on(1)  # that had begun
    before = ticks()
    goes_on()
    assert ticks() <= before + 1
before = ticks()
wait(lambda: ticks() > before + 3)
watch.ends = True
training.join()
print("done")
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_limits_that_are_set_and_lifted_hold_while_training_runs():
    done = subprocess.run(
        [sys.executable, "-c", LIMITS],
        cwd=Path(__file__).parent,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.stdout == "done\n", done.stderr
