"""Perceptron: one unit with a step, which learns from its mistakes and nothing else.

It runs on every backend through the operations that networks use, none of its own: the step is the slope of
ReLU, and t - y, which is -1, 0 or 1, the negative gradient of the absolute error |y - t|.
"""

from __future__ import annotations

import numpy as np

from .backend import IDENTITY, INTEGER, AnyBackend, HostArray
from .backend.registry import load_backend
from .backend.seam import check_backend
from .checks.arrays import as_host, as_rows, check_finite, check_range
from .checks.quoting import counted
from .checks.settings import as_generator, is_finite_number, positive_integer
from .checks.warning import warn_user
from .formulas.activation import as_activation
from .formulas.loss import as_loss
from .layers.parameters import Parameters
from .optimizers import MomentumSGD


class NotSeparable(UserWarning):
    """A perceptron was still making mistakes when its epochs were over."""


class Perceptron:
    """y = step(x W) with x = (x_1, ..., x_d, 1): 1 where the weighted sum is above 0, else 0.

    The last input is a unit that is always 1, and its weight the bias. For each row in turn, the perceptron
    rule (Rosenblatt 1958)::

        W = W + a (t - y) x

    changes nothing where the answer is right. It ends without mistakes on every set that a line (a plane, a
    hyperplane) separates (Novikoff 1962), and on no other.

    Parameters
    ----------
    learning_rate : float
        a > 0. Starting from zero weights, it scales them and changes no answer.
    epochs : int
        How often `fit` goes through the rows at most.
    device, dtype, backend
        As in `Network`; float64 by default, so that rounding does not get in the way of convergence.
    seed : int or numpy.random.Generator, optional
        For the order of rows, which is a new one each epoch.

    Attributes
    ----------
    converged : bool or None
        Whether the last `fit` ended with an epoch without mistakes; None before.
    mistakes : list of int
        How many rows each epoch of the last `fit` got wrong, each just before it was learned from.
    """

    def __init__(
        self,
        learning_rate: float = 1.0,
        epochs: int = 100,
        *,
        device: str | None = None,
        dtype: str = "float64",
        seed: int | np.random.Generator | None = None,
        backend: AnyBackend | None = None,
    ) -> None:
        if not (is_finite_number(learning_rate) and learning_rate > 0):
            raise ValueError(f"learning_rate must be a number above 0, got {learning_rate!r:.60}.")
        self.learning_rate = float(learning_rate)
        self.epochs = positive_integer("epochs", epochs)
        self.rng = as_generator(seed)
        if backend is not None:
            check_backend(backend)
        self.backend = load_backend(device, dtype) if backend is None else backend
        self.converged: bool | None = None
        self.mistakes: list[int] = []
        self._weights: HostArray | None = None

    def fit(self, X: object, target: object) -> bool:
        """Learn from rows (N, d) with targets (N,), 0 or 1, from zero weights; return whether it converged.

        Warns `NotSeparable` where the last epoch still had mistakes. Raises ValueError for other targets, and
        as `Network.fit` for X; OverflowError where the weights stop being finite. After an error the
        perceptron is as it was.
        """
        rows = as_rows(X)
        check_range("X", rows, self.backend.dtype)
        answers = _as_answers(target, len(rows))
        mistakes: list[int] = []
        with np.errstate(over="ignore", invalid="ignore"):
            learning = _Learning(self.backend, rows, answers, self.learning_rate)
            while len(mistakes) < self.epochs and (not mistakes or mistakes[-1]):
                mistakes.append(learning.run_epoch(self.rng.permutation(len(rows))))
        weights = learning.weights()
        self._weights, self.mistakes, self.converged = weights, mistakes, mistakes[-1] == 0
        if not self.converged:
            when = "its only epoch" if self.epochs == 1 else f"the last of {self.epochs} epochs"
            warn_user(
                f"the perceptron made {counted(mistakes[-1], 'mistake')} in {when}. Either no line separates "
                f"the {counted(len(rows), 'row')}, or more epochs are needed to find it. For classes that "
                f"overlap, or lie as in xor, train a Network with a hidden layer.",
                NotSeparable,
            )
        return self.converged

    def weights(self) -> tuple[HostArray, float]:
        """Return the weights (d,) and the bias."""
        if self._weights is None:
            raise RuntimeError("this perceptron has no weights yet: call fit(X, target) first.")
        return self._weights[:-1].copy(), float(self._weights[-1])

    def predict(self, X: object) -> HostArray:
        """Return 0 or 1 for each of the rows (n, d), as integers (n,)."""
        weights, bias = self.weights()
        rows = as_rows(X, len(weights))
        check_range("X", rows, self.backend.dtype)
        backend = self.backend
        x, z = backend.from_host(rows), backend.empty((len(rows), 1))
        block = backend.from_host(weights.reshape(-1, 1))
        backend.matmul(x, block, out=z)
        backend.bias_activation(z, backend.from_host(np.array([bias])), IDENTITY, out=z)
        return (backend.to_host(z)[:, 0] > 0).astype(INTEGER)

    def boundary(self) -> str:
        """Return where the answer changes: for two features the line ``x2 = slope x1 + intercept``."""
        weights, bias = self.weights()
        if not weights.any():
            return "there is no boundary: all weights are 0, and every answer is the same"
        if len(weights) == 2 and weights[1]:
            slope, intercept = -weights[0] / weights[1], -bias / weights[1]
            return f"x2 = {slope + 0.0:.4g} x1 {_signed(intercept)}"
        if len(weights) <= 2 and weights[0]:
            return f"x1 = {0.0 - bias / weights[0]:.4g}"
        terms = " ".join(f"{_signed(w)} x{i}" for i, w in enumerate(weights, 1))
        return f"0 = {bias:.4g} {terms}"


class _Learning:
    """One `fit`: its arrays on the device, and the perceptron rule for one row at a time."""

    def __init__(self, backend: AnyBackend, rows: HostArray, target: HostArray, learning_rate: float) -> None:
        n, d = rows.shape
        self.backend, self.rows = backend, n
        self.parameters = Parameters(backend, [(d, 1)])
        start, stop = self.parameters.ranges[0]
        self.block = self.parameters.values[start:stop].reshape((d + 1, 1))
        self.block_gradient = self.parameters.gradients[start:stop].reshape((d + 1, 1))
        self.optimizer = MomentumSGD(learning_rate, momentum=0.0)
        self.optimizer.prepare(self.parameters, 1)
        self.examples = backend.from_host(np.column_stack([rows, np.ones(n)]))
        self.targets = backend.from_host(target.reshape(-1, 1))
        self.order, self.cursor = backend.zeros((n,), INTEGER), backend.zeros((1,), INTEGER)
        self.losses = backend.zeros((n,))
        self.x, self.t = backend.empty((1, d + 1)), backend.empty((1, 1))
        self.z, self.y, self.error = backend.empty((1, 1)), backend.empty((1, 1)), backend.empty((1, 1))
        self.loss, self.sum = backend.empty((1,)), backend.empty((1,))
        self.one = backend.from_host(np.ones((1, 1)))
        self.relu, self.wrong = as_activation("relu").formula, as_loss("mean_absolute_error")

    def run_epoch(self, order: HostArray) -> int:
        """Go through the rows once; return how many answers were wrong.

        Raises OverflowError where the weights are no longer finite.
        """
        self.backend.from_host(order, out=self.order)
        self.backend.from_host(np.zeros(1, INTEGER), out=self.cursor)
        for _ in range(self.rows):
            self.learn()
        if not self.parameters.are_finite():
            raise OverflowError(
                f"the perceptron's weights became too large for {self.backend.dtype}. Standardize X, or take "
                f"a smaller learning rate, which changes no answer."
            )
        return int(self.backend.to_host(self.losses).sum())

    def learn(self) -> None:
        """W = W + a (t - y) x, for the row at the cursor."""
        backend = self.backend
        backend.take_rows(self.examples, self.order, self.cursor, out=self.x)
        backend.take_rows(self.targets, self.order, self.cursor, out=self.t)
        backend.matmul(self.x, self.block, out=self.z)
        # step(z), 1 where z > 0 and 0 elsewhere, is the slope of ReLU, which backends take from its output.
        backend.bias_activation(self.z, None, self.relu, out=self.z)
        backend.activation_backward(self.one, self.z, self.relu, out=self.y, bias_gradient=self.sum)
        one = self.one.reshape((1,))
        self.wrong.apply(backend, self.y, self.t, one, losses=self.loss, gradient=self.error)
        backend.matmul(self.x.T, self.error, out=self.block_gradient)
        self.optimizer.update(backend, self.parameters)
        backend.put_rows(self.loss, self.cursor, out=self.losses)
        backend.advance(self.cursor, 1)

    def weights(self) -> HostArray:
        """Return weights and bias, (d + 1,)."""
        return self.backend.to_host(self.block)[:, 0]


def _as_answers(target: object, rows: int) -> HostArray:
    array = as_host("target", target)
    if array.shape == (rows, 1):
        array = array[:, 0]
    if array.shape != (rows,):
        raise ValueError(f"target must have shape ({rows},), one answer a row of X, got {array.shape}.")
    check_finite("target", array)
    wrong = (array != 0) & (array != 1)
    if wrong.any():
        raise ValueError(
            f"a perceptron answers 0 or 1, but target holds {array[wrong][0]:g}. Code the two classes as 0 "
            f"and 1, such as (target == name).astype(int)."
        )
    return array.astype(np.float64)


def _signed(number: float) -> str:
    return f"{'-' if number < 0 else '+'} {abs(number):.4g}"
