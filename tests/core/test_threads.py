"""Threads: networks of their own train side by side, and one network answers all of them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fuseprop import Network, mlp

X = np.random.default_rng(0).normal(size=(200, 6))
LABELS = (X[:, :3]).argmax(axis=1)


def trained(seed, backend):
    network = Network(mlp([6, 16, 3]), "softmax_cross_entropy", seed=seed, backend=backend)
    network.fit(X, LABELS, epochs=10, batch_size=16, validation=0.2)
    return network


def another(backend):
    """A new backend object as this one."""
    options = {"replay": backend.replay} if hasattr(type(backend), "replays") else {}
    return type(backend)(dtype=backend.dtype.name, device=backend.device, **options)


@pytest.mark.replays
def test_training_in_threads_is_training_in_turn(backend):
    """On one backend object that all threads share, and on one each."""
    in_turn = [trained(seed, backend).predict(X) for seed in range(6)]
    with ThreadPoolExecutor(4) as threads:
        shared = list(threads.map(lambda seed: trained(seed, backend).predict(X), range(6)))
        own = list(
            threads.map(
                lambda seed: trained(seed, another(backend)).predict(X),
                range(6),
            )
        )
    for expected, one, other in zip(in_turn, shared, own, strict=True):
        np.testing.assert_array_equal(one, expected)
        np.testing.assert_array_equal(other, expected)


def test_one_network_predicts_for_many_threads(backend):
    network = trained(0, backend)
    expected = [network.predict(X[i:]) for i in range(20)]
    with ThreadPoolExecutor(4) as threads:
        for one, other in zip(
            threads.map(lambda i: network.predict(X[i:]), range(20)), expected, strict=True
        ):
            np.testing.assert_array_equal(one, other)
