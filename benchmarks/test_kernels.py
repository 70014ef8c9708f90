"""Fused kernels against the same formulas in the array library's own calls, one temporary a call."""

import numpy as np
import pytest

SHAPES = {"32x32": (32, 32), "128x512": (128, 512), "1024x1024": (1024, 1024)}

shapes = pytest.mark.parametrize("shape", SHAPES)
forms = pytest.mark.parametrize("form", ["fused", "unfused"])


@pytest.fixture
def arrays(backend, shape):
    """Return make(count): that many (n, m) arrays of uniform numbers, and the library that they belong to."""

    def make(count):
        rng = np.random.default_rng(0)
        made = [backend.from_host(rng.uniform(0.1, 0.9, SHAPES[shape])) for _ in range(count)]
        return made, made[0].__array_namespace__()

    return make


def moved(backend, shape, accesses):
    n, m = SHAPES[shape]
    return accesses * n * m * backend.dtype.itemsize


@forms
@shapes
def test_bias_sigmoid(timed, backend, arrays, shape, form):
    """out = sigmoid(z + b)."""
    (z, out), xp = arrays(2)
    bias = backend.from_host(np.zeros(z.shape[1]))
    calls = {
        "fused": lambda: backend.bias_activation(z, bias, "sigmoid", out=out),
        "unfused": lambda: 1 / (1 + xp.exp(-(z + bias))),
    }
    timed(calls[form], group="kernel: bias and sigmoid", moved=moved(backend, shape, 2))


@forms
@shapes
def test_sigmoid_backward(timed, backend, arrays, shape, form):
    """delta = gradient y (1 - y), and its column sums."""
    (gradient, y, out), _ = arrays(3)
    sums = backend.empty((y.shape[1],))

    def unfused():
        delta = gradient * y * (1 - y)
        return delta, delta.sum(axis=0)

    def fused():
        backend.activation_backward(gradient, y, "sigmoid", out=out, bias_gradient=sums)

    calls = {"fused": fused, "unfused": unfused}
    timed(calls[form], group="kernel: sigmoid backward", moved=moved(backend, shape, 3))


@forms
@shapes
def test_softmax_cross_entropy(timed, backend, arrays, shape, form):
    """Each row's loss, and the gradient by the logits."""
    (z, gradient), xp = arrays(2)
    n, m = z.shape
    labels = backend.from_host(np.arange(n) % m, dtype=np.dtype(np.int64))
    weights, losses, rows = backend.from_host(np.full(n, 1 / n)), backend.empty((n,)), xp.arange(n)

    def unfused():
        e = xp.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        loss = -xp.log(p[rows, labels])
        p[rows, labels] -= 1
        return loss, p * weights[:, None]

    def fused():
        backend.softmax_cross_entropy(z, labels, weights, losses=losses, gradient=gradient)

    calls = {"fused": fused, "unfused": unfused}
    timed(calls[form], group="kernel: softmax and cross-entropy", moved=moved(backend, shape, 2))
