"""What the engine trains, at drawn shapes, is what a textbook trains in float64."""

import sys
from itertools import cycle, pairwise
from pathlib import Path

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.compiled.library import NotCompiled, library
from hypothesis import given, settings
from hypothesis import strategies as st

from fuseprop import Adam, MomentumSGD, Network, mlp
from fuseprop.formulas import LOSSES, UPDATES
from fuseprop.formulas.activation import trainable_activations

sys.path.append(str(Path(__file__).parents[1] / "core"))

from textbook import DERIVATIVE, FUNCTION, output_loss

try:
    library()
except NotCompiled as why:
    pytest.skip(f"steps are not compiled here: {why}", allow_module_level=True)

BOUND = {"float32": 200 * np.finfo("float32").eps, "float64": 1e-12}
"""How far two steps may be off, beside the largest number of an array or 1."""

MOMENTUM, BETAS, EPSILON = 0.6, (0.9, 0.999), 1e-3

LINKED = {"sigmoid_cross_entropy", "softmax_cross_entropy", "half_poisson_deviance"}
"""Losses that own the last activation."""

TRAINED = [*trainable_activations()]

CASES = list(
    zip(
        [*TRAINED, *TRAINED],
        cycle(LOSSES),
        cycle(UPDATES),
        ["float32"] * len(TRAINED) + ["float64"] * len(TRAINED),
        strict=False,
    )
)


def mix(x, key=0):
    """As the protocol's `dropout` has it, in whole numbers modulo 2^32."""
    x = x ^ x >> 16
    x = (0x7FEB352D * x + key) % 2**32
    x = x ^ x >> 15
    x = 0x846CA68B * x % 2**32
    return x ^ x >> 16


def mask(shape, rate, seed, step):
    """What dropout multiplies outputs by."""
    a = mix(seed ^ mix(step))
    numbers = np.arange(np.prod(shape), dtype=np.uint64).reshape(shape)
    kept = mix(numbers ^ np.uint64(a), np.uint64(mix(a ^ seed))) >= np.uint64(int(2**32 * rate))
    return kept / (1 - rate)


class Textbook:
    """A network and its optimizer, by the book."""

    def __init__(self, network, activations, loss, update, *, rate, decay, clip):
        self.weights = [(w.astype(float), b.astype(float)) for w, b in network.weights()]
        self.moments = [[(0 * w, 0 * b) for w, b in self.weights] for _ in range(2)]
        self.dropout = network.stack.dropout
        self.activations, self.loss, self.kind = activations, loss, update
        self.rate, self.decay, self.clip, self.steps = rate, decay, clip, 0

    def step(self, x, t, share):
        """Take a step; return the weighted mean loss before it."""
        a, z, masks = [x], [], []
        for i, ((w, b), activation) in enumerate(zip(self.weights, self.activations, strict=True)):
            z.append(a[-1] @ w + b)
            outputs = FUNCTION[activation](z[-1])
            dropped = self.dropout.rates[i] if self.dropout else 0
            masks.append(mask(outputs.shape, dropped, self.dropout.seeds[i], self.steps) if dropped else 1)
            a.append(outputs * masks[-1])
        losses, gradient = output_loss(self.loss, a[-1], t)
        gradient, gradients = gradient * share[:, None], []
        for i in reversed(range(len(z))):
            delta = gradient * masks[i] * DERIVATIVE[self.activations[i]](z[i])
            gradients.insert(0, (a[i].T @ delta, delta.sum(axis=0)))
            gradient = delta @ self.weights[i][0].T
        self.steps += 1
        self.update(gradients)
        return share @ losses

    def update(self, gradients):
        if self.clip is not None:
            norm = np.sqrt(sum((g**2).sum() for pair in gradients for g in pair))
            gradients = [[g * min(1, self.clip / norm) for g in pair] for pair in gradients]
        for i, pair in enumerate(zip(self.weights, gradients, *self.moments, strict=True)):
            moved = [self.moved(*each, decay) for *each, decay in zip(*pair, (self.decay, 0), strict=True)]
            self.weights[i], self.moments[0][i], self.moments[1][i] = zip(*moved, strict=True)

    def moved(self, w, g, m, v, decay):
        g = g + decay * w
        if self.kind == "adam":
            (b1, b2), t = BETAS, self.steps
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
            rate = self.rate * np.sqrt(1 - b2**t) / (1 - b1**t)
            return w - rate * m / (np.sqrt(v) + EPSILON), m, v
        m = MOMENTUM * m - self.rate * g
        return w + (MOMENTUM * m - self.rate * g if self.kind == "nesterov" else m), m, v


def targets(rng, loss, shape):
    if loss == "softmax_cross_entropy":
        return rng.integers(0, shape[1], shape[0])
    if loss == "sigmoid_cross_entropy":
        return rng.integers(0, 2, shape).astype(float)
    if loss == "hinge":
        return rng.choice([-1.0, 1.0], shape)
    return rng.poisson(1.0, shape).astype(float) if "poisson" in loss else rng.normal(size=shape)


def compare(sizes, rows, batch, dtype, activations, loss, update, *, rates, decay, clip, weighted, seed):
    """Train two epochs as users do, and by the book; compare losses, weights and biases."""
    if loss == "softmax_cross_entropy":
        sizes = [*sizes[:-1], max(2, sizes[-1])]
    last = "identity" if loss in LINKED else activations[-1]
    activations = [*activations[: len(sizes) - 2], last]
    rng, backend = np.random.default_rng(seed), NumpyBackend(dtype, replay="compiled")
    layers = mlp(sizes, activations[:-1], output_activation=last, dropout=rates)
    network = Network(layers, loss, seed=seed, backend=backend)
    X = (0.3 * rng.normal(size=(rows, sizes[0]))).astype(dtype)
    t = targets(rng, loss, (rows, sizes[-1]))
    t = t if loss == "softmax_cross_entropy" else t.astype(dtype)
    weights = rng.uniform(0.5, 2.0, rows).astype(dtype) if weighted else None
    rate = 0.01
    book = Textbook(network, activations, loss, update, rate=rate, decay=decay, clip=clip)
    optimizer = (
        Adam(rate, *BETAS, EPSILON, weight_decay=decay, clip_norm=clip)
        if update == "adam"
        else MomentumSGD(rate, MOMENTUM, nesterov=update == "nesterov", weight_decay=decay, clip_norm=clip)
    )
    given = {"sample_weight": weights, "shuffle": False, "batch_size": batch}
    history = network.fit(X, t, optimizer, epochs=2, **given)
    assert backend.not_compiled is None

    found, of_rows = [], np.ones(rows) if weights is None else weights.astype(float)
    for _ in range(2):
        losses = 0.0
        for cut in (slice(i, i + batch) for i in range(0, rows, batch)):
            share = of_rows[cut] / of_rows[cut].sum()
            losses += of_rows[cut].sum() * book.step(X[cut].astype(float), t[cut], share)
        found.append(losses / of_rows.sum())
    bound = BOUND[dtype] * max(1, rows / batch)
    np.testing.assert_allclose(history.train_loss, found, rtol=bound, atol=bound)
    for pair in zip(network.weights(), book.weights, strict=True):
        for ours, expected in zip(*pair, strict=True):
            np.testing.assert_allclose(ours, expected, rtol=0, atol=bound * max(1, np.abs(expected).max()))


@pytest.mark.parametrize(("activation", "loss", "update", "dtype"), CASES)
@given(
    sizes=st.lists(st.integers(1, 200), min_size=2, max_size=6),
    batch=st.integers(1, 200),
    more=st.integers(0, 199),
    others=st.lists(st.sampled_from(sorted(set(FUNCTION) - {"exponential"})), min_size=5, max_size=5),
    rates=st.lists(st.sampled_from([0.0, 0.3]), min_size=4, max_size=4),
    decay=st.sampled_from([0.0, 0.01]),
    clip=st.sampled_from([None, 0.05]),
    weighted=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(derandomize=True, deadline=None, max_examples=4, database=None)
def test_what_is_trained_is_what_the_textbook_trains(
    activation, loss, update, dtype, sizes, batch, more, others, rates, **drawn
):
    """Every activation, loss and update in both dtypes, a full batch and what is left of a second one."""
    activations = [activation, *others[1:]] if len(sizes) > 2 else [activation]
    rates = rates[: len(sizes) - 2]
    rows = batch + more % batch
    compare(sizes, rows, batch, dtype, activations, loss, update, rates=rates, **drawn)


PLAIN = {"rates": 0.0, "decay": 0.0, "clip": None, "weighted": False, "seed": 0}


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("dtype", BOUND)
def test_from_one_unit_to_thousands(dtype, clip):
    sizes = [3, 4099, 1, 2500, 33, 2]
    activations = ["tanh", "gelu", "relu", "sigmoid", "identity"]
    compare(sizes, 9, 7, dtype, activations, "softmax_cross_entropy", "momentum", **PLAIN | {"clip": clip})


@pytest.mark.parametrize("dtype", BOUND)
def test_twenty_layers(dtype):
    sizes = [5, *range(19, 0, -1), 2]
    assert len(list(pairwise(sizes))) == 20
    compare(sizes, 40, 16, dtype, ["tanh"] * 20, "mean_squared_error", "adam", **PLAIN | {"rates": 0.1})


def test_the_comparison_sees_a_wrong_step(monkeypatch):
    """The check can fail: without momentum it does."""
    monkeypatch.setattr(Textbook, "moved", lambda self, w, g, m, v, decay: (w - 0.01 * g, m, v))
    with pytest.raises(AssertionError, match="Mismatched"):
        compare([5, 7, 3], 8, 4, "float64", ["tanh", "tanh"], "mean_squared_error", "momentum", **PLAIN)
