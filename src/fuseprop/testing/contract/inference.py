"""The contract of inference and metrics."""

from __future__ import annotations

import numpy as np
import pytest

from fuseprop.backend import INTEGER, AnyBackend
from fuseprop.testing.contract.calls import Calls
from fuseprop.testing.contract.parity import SHAPES, Host, assert_parity, softmax64


class InferenceContract:
    """Probabilities, and which rows are right."""

    @pytest.mark.parametrize("shape", SHAPES)
    def test_softmax(self, backend: AnyBackend, shape: tuple[int, int]) -> None:
        """Probabilities that sum to 1, in place and not, and for logits of any size."""
        calls = Calls(backend)
        host = Host(backend)
        for z in (host.normal(*shape, scale=4.0), host.normal(*shape, scale=1e4)):
            device_z, out = backend.from_host(z), backend.empty(shape)
            calls.softmax(device_z, out=out)
            calls.assert_equal(device_z, z)
            calls.softmax(device_z, out=device_z)
            for result in (out, device_z):
                calls.assert_parity(result, softmax64(z))
                sums = backend.to_host(result).sum(axis=1)
                assert_parity(sums, np.ones(shape[0]), backend.dtype, f"{calls.text}, sums of rows")

    @pytest.mark.parametrize("shape", SHAPES)
    def test_argmax_equals(self, backend: AnyBackend, shape: tuple[int, int]) -> None:
        """1 where the largest score stands at the label; of equal scores the first counts."""
        calls = Calls(backend)
        host = Host(backend)
        scores, labels = np.round(host.normal(*shape)), host.labels(*shape)
        labels[::3] = scores.argmax(axis=1)[::3]
        labels[1::3] = shape[1] - 1 - scores[:, ::-1].argmax(axis=1)[1::3]  # the last of the largest
        out = backend.empty((shape[0],))
        calls.argmax_equals(backend.from_host(scores), backend.from_host(labels, dtype=INTEGER), out=out)
        calls.assert_equal(out, scores.argmax(axis=1) == labels)

    @pytest.mark.parametrize("shape", SHAPES)
    def test_threshold_equals(self, backend: AnyBackend, shape: tuple[int, int]) -> None:
        """1 where every output of the row is on its target's side; the threshold itself is a no."""
        calls = Calls(backend)
        host = Host(backend)
        target = np.round(host.unit(*shape))
        scores = np.where(host.unit(*shape) < 0.9, target, 1 - target) - 0.5
        rows = np.arange(0, shape[0], 4)  # right everywhere, where what is at the threshold itself is a no
        scores[rows] = target[rows] - 0.5
        scores[rows, rows % shape[1]] = 0.0
        out = backend.empty((shape[0],))
        device_scores, device_target = map(backend.from_host, (scores, target))
        calls.threshold_equals(device_scores, device_target, 0.0, 0.5, out=out)
        expected = ((scores > 0) == (target > 0.5)).all(axis=1)
        calls.assert_equal(out, expected)

    def test_nan_is_above_no_threshold(self, backend: AnyBackend) -> None:
        """Comparisons with NaN do not hold, as in IEEE 754: it counts as a no."""
        calls = Calls(backend)
        scores, target = backend.from_host(np.full((2, 1), np.nan)), backend.from_host(np.eye(2)[:, :1])
        out = backend.empty((2,))
        calls.threshold_equals(scores, target, 0.5, 0.5, out=out)
        calls.assert_equal(out, [0, 1])
