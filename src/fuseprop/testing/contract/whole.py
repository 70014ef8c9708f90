"""The contract of all operations together: a network trains as it does on NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fuseprop.backend import AnyBackend
from fuseprop.backend.registry import load_backend
from fuseprop.backend.seam import option
from fuseprop.formulas import Loss
from fuseprop.layers.dense import mlp
from fuseprop.network import Network
from fuseprop.optimizers import Adam, MomentumSGD
from fuseprop.testing.contract.formulas import LOSS_CASES, TRAINABLE_CASES, in_turn
from fuseprop.testing.contract.parity import Host, assert_parity, softmax64


class WholeContract:
    """Whole networks."""

    @pytest.mark.replays
    @pytest.mark.parametrize(
        ("loss", "activation"),
        [*in_turn(LOSS_CASES, list(TRAINABLE_CASES), 1)]
        + [(loss, activation) for activation, loss in in_turn(TRAINABLE_CASES, list(LOSS_CASES)[::-1], 1)],
    )
    def test_training_agrees_with_numpy(self, backend: AnyBackend, loss: str, activation: str) -> None:
        """A network learns the same as on NumPy: weights, losses, metrics and predictions."""
        rng, made = np.random.default_rng(1), LOSS_CASES[loss]
        X = 0.5 * rng.normal(size=(50, 6))
        target: NDArray[Any] = (X @ rng.normal(size=(6, 3))).argmax(axis=1)
        if isinstance(made, Loss):
            target = Host(backend).targets(made, 50, 3)
        weights = rng.uniform(0.5, 2.0, 50)

        def train(chosen: AnyBackend) -> tuple[Network, list[float]]:
            network = Network(mlp([6, 5, 4, 3], TRAINABLE_CASES[activation]), made, seed=3, backend=chosen)
            history = network.fit(
                X,
                target,
                MomentumSGD(0.05, 0.6, weight_decay=1e-3, nesterov=True),
                epochs=3,
                batch_size=8,
                sample_weight=weights,
                validation=0.2,
            )
            return network, [*history.train_loss, *history.validation_loss, *history.train_metric]

        (ours, curve), (numpy, numpy_curve) = train(backend), train(load_backend("cpu", backend.dtype.name))
        assert_parity(curve, numpy_curve, backend.dtype, "training losses, validation losses and accuracies")
        _assert_learned_the_same(ours, numpy, X)

    @pytest.mark.replays
    def test_adam_and_dropout_agree_with_numpy(self, backend: AnyBackend) -> None:
        """Moments, masks and settings by the step: three epochs, with a partial batch."""
        rng = np.random.default_rng(1)
        X, target = rng.normal(size=(50, 6)), rng.integers(0, 3, 50)

        def train(chosen: AnyBackend) -> Network:
            layers = mlp([6, 9, 8, 3], "tanh", dropout=[0.2, 0.5])
            network = Network(layers, "softmax_cross_entropy", seed=3, backend=chosen)
            optimizer = Adam(0.01, epsilon=1e-3, weight_decay=[0.1, 0.2, 0.0, 0.3])
            network.fit(X, target, optimizer, epochs=3, batch_size=16)
            return network

        ours, numpy = train(backend), train(load_backend("cpu", backend.dtype.name))
        _assert_learned_the_same(ours, numpy, X)

    @pytest.mark.parametrize("rows", [1, 7, 40, 300])
    @pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy", "half_squared_error"])
    def test_rows_are_answered_alike_in_any_number(self, backend: AnyBackend, loss: str, rows: int) -> None:
        """Predictions and scores are those of float64; with `by_rows`, to the bit whatever is beside them."""
        sizes = [6, 9, 3]
        network = Network(mlp(sizes, "tanh"), loss, seed=0, backend=backend)
        X = Host(backend).normal(rows, 6)
        predictions = network.predict(X)
        (w1, b1), (w2, b2) = ((w.astype(np.float64), b.astype(np.float64)) for w, b in network.weights())
        z = np.tanh(X.astype(np.float64) @ w1 + b1) @ w2 + b2
        chosen = np.eye(3)[z.argmax(axis=1)]
        match loss:
            case "softmax_cross_entropy":
                expected = softmax64(z)
                losses = -np.log((expected * chosen).sum(axis=1))
            case "sigmoid_cross_entropy":
                expected = 1 / (1 + np.exp(-z))
                losses = -np.log(np.where(chosen == 1, expected, 1 - expected)).sum(axis=1)
            case _:
                expected, losses = z, 0.5 * ((z - chosen) ** 2).sum(axis=1)
        assert_parity(predictions, expected, backend.dtype)
        if option(backend, "by_rows") is not None:
            for start, stop in ((0, 1), (rows // 2, rows), (rows - 1, rows)):
                np.testing.assert_array_equal(network.predict(X[start:stop]), predictions[start:stop])
        scores = network.evaluate(X, z.argmax(axis=1))
        assert_parity(np.array([scores["loss"]]), np.array([losses.mean()]), backend.dtype)

    @pytest.mark.replays
    def test_same_seed_same_bits(self, backend: AnyBackend) -> None:
        """Training twice from one seed gives identical weights."""
        rng = np.random.default_rng(2)
        X, target = rng.normal(size=(70, 20)), rng.integers(0, 4, 70)
        runs = []
        for _ in range(2):
            network = Network(mlp([20, 33, 4]), "softmax_cross_entropy", seed=5, backend=backend)
            network.fit(X, target, epochs=3, batch_size=16)
            runs.append(network.weights())
        for (w, b), (other_w, other_b) in zip(*runs, strict=True):
            np.testing.assert_array_equal(w, other_w)
            np.testing.assert_array_equal(b, other_b)


def _assert_learned_the_same(ours: Network, numpy: Network, X: NDArray[Any]) -> None:
    """Predictions, weights and biases are at parity."""
    dtype = ours.backend.dtype
    assert_parity(ours.predict(X), numpy.predict(X), dtype, "predictions")
    for layer, (pair, numpy_pair) in enumerate(zip(ours.weights(), numpy.weights(), strict=True)):
        for what, array, numpy_array in zip(("weights", "biases"), pair, numpy_pair, strict=True):
            assert_parity(array, numpy_array, dtype, f"{what} of layer {layer}")
