"""The contract of inference and metrics."""

from __future__ import annotations

import numpy as np
import pytest

from fuseprop import Network, mlp
from fuseprop.backend import INTEGER, AnyBackend
from fuseprop.backend.seam import option
from fuseprop.testing.contract.parity import SHAPES, Host, assert_parity, softmax64


class InferenceContract:
    """Probabilities, and which rows are right."""

    @pytest.mark.parametrize("shape", SHAPES)
    def test_softmax(self, backend: AnyBackend, shape: tuple[int, int]) -> None:
        """Probabilities that sum to 1, in place and not, and for logits of any size."""
        host = Host(backend)
        for z in (host.normal(*shape, scale=4.0), host.normal(*shape, scale=1e4)):
            device_z, out = backend.from_host(z), backend.empty(shape)
            backend.softmax(device_z, out=out)
            np.testing.assert_array_equal(backend.to_host(device_z), z)
            backend.softmax(device_z, out=device_z)
            for result in (out, device_z):
                assert_parity(backend.to_host(result), softmax64(z), backend.dtype)
                assert_parity(backend.to_host(result).sum(axis=1), np.ones(shape[0]), backend.dtype)

    @pytest.mark.parametrize("shape", SHAPES)
    def test_argmax_equals(self, backend: AnyBackend, shape: tuple[int, int]) -> None:
        """1 where the largest score stands at the label; of equal scores the first counts."""
        host = Host(backend)
        scores, labels = np.round(host.normal(*shape)), host.labels(*shape)
        out = backend.empty((shape[0],))
        backend.argmax_equals(backend.from_host(scores), backend.from_host(labels, dtype=INTEGER), out=out)
        np.testing.assert_array_equal(backend.to_host(out), scores.argmax(axis=1) == labels)

    @pytest.mark.parametrize("shape", SHAPES)
    def test_threshold_equals(self, backend: AnyBackend, shape: tuple[int, int]) -> None:
        """1 where every output of the row is on its target's side; the threshold itself is a no."""
        host = Host(backend)
        target = np.round(host.unit(*shape))
        scores = np.where(host.unit(*shape) < 0.9, target, 1 - target) - 0.5
        scores[0, 0] = 0.0
        out = backend.empty((shape[0],))
        device_scores, device_target = map(backend.from_host, (scores, target))
        backend.threshold_equals(device_scores, device_target, 0.0, 0.5, out=out)
        expected = ((scores > 0) == (target > 0.5)).all(axis=1)
        np.testing.assert_array_equal(backend.to_host(out), expected)

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
