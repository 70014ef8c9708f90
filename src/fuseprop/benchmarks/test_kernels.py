"""Fused kernels against the same formulas in the array library's own calls, one temporary a call."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ..backend import AnyBackend
from ..backend.expression import Expression, evaluate
from ..formulas import ACTIVATIONS, LOSSES, as_activation, as_loss
from .fixtures import Timed

SHAPES = {"32x32": (32, 32), "128x512": (128, 512), "1024x1024": (1024, 1024)}

shapes = pytest.mark.parametrize("shape", SHAPES)
Arrays = Callable[[int], Any]

forms = pytest.mark.parametrize("form", ["fused", "unfused"])


@pytest.fixture
def arrays(backend: AnyBackend, shape: str) -> Arrays:
    """Return make(count): that many (n, m) arrays of uniform numbers, and the library that they belong to."""

    def make(count: int) -> Any:
        rng = np.random.default_rng(0)
        made: list[Any] = [backend.from_host(rng.uniform(0.1, 0.9, SHAPES[shape])) for _ in range(count)]
        return made, made[0].__array_namespace__()

    return make


def moved(backend: AnyBackend, shape: str, accesses: int) -> int:
    """Return the bytes of so many accesses to an array of that shape."""
    n, m = SHAPES[shape]
    return accesses * n * m * backend.dtype.itemsize


def unfused(expression: Expression, xp: Any, **values: Any) -> Any:
    """Return a formula by the array library's own calls."""
    return evaluate(expression, values, xp)


@forms
@shapes
def test_bias_sigmoid(timed: Timed, backend: AnyBackend, arrays: Arrays, shape: str, form: str) -> None:
    """out = sigmoid(z + b)."""
    (z, out), xp = arrays(2)
    bias, formula = backend.from_host(np.zeros(z.shape[1])), as_activation("sigmoid").formula
    calls = {
        "fused": lambda: backend.bias_activation(z, bias, formula, out=out),
        "unfused": lambda: unfused(formula.value, xp, z=z + bias),
    }
    timed(calls[form], group="kernel: bias and sigmoid", moved=moved(backend, shape, 2))


@forms
@shapes
def test_sigmoid_backward(timed: Timed, backend: AnyBackend, arrays: Arrays, shape: str, form: str) -> None:
    """delta = gradient y (1 - y), and its column sums."""
    (gradient, y, out), xp = arrays(3)
    sums, formula = backend.empty((y.shape[1],)), as_activation("sigmoid").formula

    def by_calls() -> Any:
        delta = gradient * unfused(formula.slope, xp, y=y)
        return delta, delta.sum(axis=0)

    def fused() -> None:
        backend.activation_backward(gradient, y, formula, out=out, bias_gradient=sums)

    calls = {"fused": fused, "unfused": by_calls}
    timed(calls[form], group="kernel: sigmoid backward", moved=moved(backend, shape, 3))


@pytest.mark.parametrize("shape", ["128x512"])
@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name not in ("identity", "sigmoid")])
def test_activation(timed: Timed, backend: AnyBackend, arrays: Arrays, shape: str, activation: str) -> None:
    """out = f(z + b), and back through it with the sums of its gradients, fused."""
    (z, y, gradient, out), _ = arrays(4)
    formula = as_activation(activation).formula
    bias, sums = backend.from_host(np.zeros(z.shape[1])), backend.empty((z.shape[1],))
    kept = out if formula.slope_of == "z" else None

    def there_and_back() -> None:
        backend.bias_activation(z, bias, formula, out=y, kept=kept)
        backend.activation_backward(gradient, y if kept is None else kept, formula, out=z, bias_gradient=sums)

    timed(there_and_back, group="kernel: activation and backward", moved=moved(backend, shape, 5))


@pytest.mark.parametrize("shape", ["128x512"])
@pytest.mark.parametrize("loss", [name for name in LOSSES if not as_loss(name).takes_labels])
def test_loss(timed: Timed, backend: AnyBackend, arrays: Arrays, shape: str, loss: str) -> None:
    """Each row's loss and the gradient by its outputs, fused."""
    (output, target, gradient), _ = arrays(3)
    n = len(output)
    weights, losses = backend.from_host(np.full(n, 1 / n)), backend.empty((n,))
    chosen = as_loss(loss)
    timed(
        lambda: chosen.apply(backend, output, target, weights, losses=losses, gradient=gradient),
        group="kernel: loss of rows",
        moved=moved(backend, shape, 3),
    )


@forms
@shapes
def test_softmax_cross_entropy(
    timed: Timed, backend: AnyBackend, arrays: Arrays, shape: str, form: str
) -> None:
    """Each row's loss, and the gradient by the logits."""
    (z, gradient), xp = arrays(2)
    n, m = z.shape
    labels = backend.from_host(np.arange(n) % m, dtype=np.dtype(np.int64))
    weights: Any = backend.from_host(np.full(n, 1 / n))
    losses, rows = backend.empty((n,)), xp.arange(n)

    def by_calls() -> Any:
        e = xp.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        loss = -xp.log(p[rows, labels])
        p[rows, labels] -= 1
        return loss, p * weights[:, None]

    def fused() -> None:
        backend.softmax_cross_entropy(z, labels, weights, losses=losses, gradient=gradient)

    calls = {"fused": fused, "unfused": by_calls}
    timed(calls[form], group="kernel: softmax and cross-entropy", moved=moved(backend, shape, 2))
