"""Small networks train with one BLAS thread, and leave as many as they found."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.threads import blas_limit
from fuseprop_numpy.threads.blas_limit import ONE_THREAD, multiplications
from threadpoolctl import ThreadpoolController, threadpool_limits

from fuseprop import MomentumSGD, Network, mlp
from fuseprop.backend import Call, Program
from fuseprop.callbacks import OnEpochEnd

X = np.random.default_rng(0).normal(size=(64, 6))
LABELS = (X[:, :3]).argmax(axis=1)
BLAS = ThreadpoolController().select(user_api="blas")

pytestmark = pytest.mark.skipif(
    not BLAS.lib_controllers, reason="NumPy's BLAS cannot be told how many threads"
)


def blas_threads():
    return {library["num_threads"] for library in BLAS.info()}


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        blas_limit.share_control()
        yield


def fit(callback):
    network = Network(mlp([6, 8, 3]), "softmax_cross_entropy", seed=0, backend=NumpyBackend(replay="calls"))
    network.fit(X, LABELS, MomentumSGD(), epochs=2, callbacks=[OnEpochEnd(callback)])


def test_one_while_a_small_network_trains():
    seen = []
    fit(lambda history: seen.append(blas_threads()))
    assert seen == [{1}, {1}]
    assert blas_threads() == {2}


def test_as_many_as_there_are_for_a_wide_one(monkeypatch):
    monkeypatch.setattr("fuseprop_numpy.backend.ENOUGH", 32 * (2 * 6 * 8 + 3 * 8 * 3))
    seen = []
    fit(lambda history: seen.append(blas_threads()))
    assert seen == [{2}, {2}]


def test_what_fails_leaves_as_many_as_it_found():
    def fail(history):
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fit(fail)
    assert blas_threads() == {2}
    assert ONE_THREAD.holders == 0


def test_the_last_to_leave_sets_back():
    together = Barrier(2, timeout=60)
    seen = {}

    def train(name, epochs_after):
        def callback(history):
            if history.epochs == 1:
                together.wait()
            seen.setdefault(name, []).append(blas_threads())

        network = Network(
            mlp([6, 8, 3]), "softmax_cross_entropy", seed=0, backend=NumpyBackend(replay="calls")
        )
        network.fit(X, LABELS, MomentumSGD(), epochs=1 + epochs_after, callbacks=[OnEpochEnd(callback)])

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(train, "short", 0), pool.submit(train, "long", 20)]:
            done.result(timeout=60)
    assert all(each == {1} for each in seen["short"] + seen["long"])
    assert blas_threads() == {2}


def test_all_products_of_a_step_count():
    a, b, out = np.zeros((4, 3)), np.zeros((3, 5)), np.zeros((4, 5))
    product, other = Call("matmul", (a, b), {"out": out}), Call("sum_squares", (a,), {"out": out})
    assert multiplications(Program((product, other, product))) == 2 * 4 * 3 * 5
    assert multiplications(Program((other,))) == 0


def test_one_where_a_single_multiplication_is_missing(monkeypatch):
    monkeypatch.setattr("fuseprop_numpy.backend.ENOUGH", 32 * (2 * 6 * 8 + 3 * 8 * 3) + 1)
    seen = []
    fit(lambda history: seen.append(blas_threads()))
    assert seen == [{1}, {1}]
