"""Forward passes and gradients at drawn shapes: those of calls, of float64, and of any part of the rows."""

from dataclasses import replace

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.compiled.library import NotCompiled, library
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from fuseprop import Dense, MomentumSGD, Network
from fuseprop.formulas.loss import as_loss
from fuseprop.testing.contract.formulas import ACTIVATION_CASES, LOSS_CASES
from fuseprop.testing.contract.parity import Host
from fuseprop.training.evaluation import Predictor
from fuseprop.training.gradient import Gradient
from fuseprop.training.rows import check_rows

try:
    library()
except NotCompiled as why:
    pytest.skip(f"forward passes are not compiled here: {why}", allow_module_level=True)

SOFTMAX = "softmax_cross_entropy"
LOSSES = {**LOSS_CASES, SOFTMAX: as_loss(SOFTMAX)}
WIDTHS = [1, 2, 3, 5, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 64, 65, 100, 130]
ROWS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 129, 200, 300]
BOUND = {"float32": 3e-4, "float64": 1e-11}
"""Beside the largest number of an array or 1."""

LAYOUTS = {
    "as it is": lambda X: X,
    "by columns": np.asfortranarray,
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every other column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": lambda X: X[::-1].copy()[::-1],
    "the other dtype": lambda X: X.astype("float64" if X.dtype == np.float32 else "float32"),
    "the other end first": lambda X: X.astype(X.dtype.newbyteorder(">")),
    "lists": lambda X: X.tolist(),
}


class Drawn:
    """A network by the library, by calls, and in float64, with rows."""

    def __init__(self, seed, dropout=0.0):
        self.rng = rng = np.random.default_rng(seed)
        self.dtype = ("float32", "float64")[seed % 2]
        name = sorted(LOSSES)[seed // 2 % len(LOSSES)]
        self.loss, depth = LOSSES[name], int(rng.integers(1, 5))
        sizes = [int(width) for width in rng.choice(WIDTHS, depth + 1)]
        sizes[-1] += self.loss.takes_labels and sizes[-1] == 1
        activations = [ACTIVATION_CASES[each] for each in rng.choice(sorted(ACTIVATION_CASES), depth)]
        if self.loss.link != "identity":
            activations[-1] = "identity"
        self.networks = [
            Network(
                [
                    Dense(*pair, activation, dropout=dropout if i < depth - 1 else 0.0)
                    for i, (*pair, activation) in enumerate(
                        zip(sizes[:-1], sizes[1:], activations, strict=True)
                    )
                ],
                self.loss,
                seed=0,
                backend=NumpyBackend(dtype, replay=replay),
            )
            for dtype, replay in ((self.dtype, "compiled"), (self.dtype, "calls"), ("float64", "calls"))
        ]
        weights = [
            (w.astype(np.float32), rng.normal(0, 0.1, b.shape).astype(np.float32))
            for w, b in self.compiled.weights()
        ]
        for network in self.networks:
            network.set_weights(weights)
        self.rows = int(rng.choice(ROWS))
        # Numbers of float32: every network sees the same.
        self.X = rng.normal(size=(self.rows, sizes[0])).astype(np.float32).astype(self.dtype)
        k = sizes[-1]
        self.target = (
            rng.integers(0, k, self.rows)
            if self.loss.takes_labels
            else Host(self.compiled.backend, seed).targets(self.loss, self.rows, k)
        )

    @property
    def compiled(self):
        return self.networks[0]

    def compare(self, results, factor=1):
        """Compare what each network made with what the library made, which it did."""
        assert self.compiled.backend.not_compiled is None
        bound = factor * BOUND[self.dtype]
        for other in results[1:]:
            scale = max(1, np.abs(other).max())
            np.testing.assert_allclose(results[0], other, rtol=bound, atol=bound * scale)


@pytest.mark.parametrize("seed", range(36))
def test_predictions_are_those_of_calls_and_of_any_part_of_the_rows(seed):
    drawn = Drawn(seed)
    name = list(LAYOUTS)[seed % len(LAYOUTS)]
    given = LAYOUTS[name](drawn.X)
    with threadpool_limits((1, 2, 3, 8)[seed // 8 % 4]):
        every = drawn.compiled.predict(given)
    assert (every.dtype, every.shape) == (drawn.dtype, (drawn.rows, drawn.compiled.outputs))
    drawn.compare([every, *(network.predict(drawn.X) for network in drawn.networks[1:])])
    start, stop = sorted(drawn.rng.integers(0, drawn.rows + 1, 2))
    for part in (slice(start, stop + (start == stop)), slice(-1, None), slice(0, 1)):
        if len(drawn.X[part]):
            np.testing.assert_array_equal(drawn.compiled.predict(drawn.X[part]), every[part])
    sparse = Predictor(drawn.compiled.backend, drawn.compiled.stack)(csr_array(drawn.X))
    np.testing.assert_array_equal(sparse, every)


@pytest.mark.parametrize("seed", range(36))
def test_scores_of_rows_are_those_of_calls(seed):
    """By `evaluate`, and of rows that are held out in training, where every activation has a slope."""
    drawn = Drawn(seed, dropout=0.3 if seed % 3 == 0 else 0.0)
    weights = drawn.rng.uniform(0.1, 2, drawn.rows) if seed % 4 == 0 else None
    found = [network.evaluate(drawn.X, drawn.target, weights) for network in drawn.networks]
    drawn.compare([each["loss"] for each in found], 10)
    if "accuracy" in found[0]:
        accuracies = [each["accuracy"] * drawn.rows for each in found]
        assert max(accuracies) - min(accuracies) <= 1 + drawn.rows / 100  # at a threshold rounding decides
    if not all(layer.function.has_slope for layer in drawn.compiled.layers):
        return
    optimizer, given = MomentumSGD(1e-10), {"epochs": 2, "batch_size": min(drawn.rows, 20)}
    held_out = (drawn.X, drawn.target)
    losses = [
        network.fit(drawn.X, drawn.target, replace(optimizer), validation=held_out, shuffle=False, **given)
        for network in drawn.networks
    ]
    drawn.compare([history.validation_loss for history in losses], 100)


@pytest.mark.parametrize("chunk_bytes", [1, 4 << 20])
@pytest.mark.parametrize("seed", range(12))
def test_gradients_that_nothing_is_learned_from_are_those_of_calls(seed, chunk_bytes, monkeypatch):
    """In chunks of one row, or one of all, which are gathered or sent."""
    monkeypatch.setattr(NumpyBackend, "chunk_bytes", chunk_bytes, raising=False)
    drawn, made = Drawn(seed), []
    shares = drawn.rng.uniform(0, 1, drawn.rows)
    for network in drawn.networks:
        rows = check_rows(network.stack, drawn.X, drawn.target)
        if seed % 3 == 0:
            rows = replace(rows, X=csr_array(drawn.X))
        compute = Gradient(network.backend, network.stack, rows, shares / shares.sum())
        before = network.weights()
        total, losses, outputs = compute()
        for ours, again in zip((total, losses, outputs), compute(), strict=True):
            np.testing.assert_array_equal(ours, again)
        for pair, same in zip(before, network.weights(), strict=True):
            for part, other in zip(pair, same, strict=True):
                np.testing.assert_array_equal(part, other)
        flat = [part.ravel() for pair in network.stack.parameters.unpack(total) for part in pair]
        made.append((np.concatenate(flat), losses, outputs))
    for results in zip(*made, strict=True):
        drawn.compare(results, 30)
