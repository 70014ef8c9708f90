"""Perceptron: one unit with a step, which learns from its mistakes and nothing else.

It is trained as a network of one layer on the absolute error |y - t|, one row a step. The gradient by the
output is then y - t, which is -1, 0 or 1. With a slope of 1 in place of the step's own, which is 0, gradient
descent is the perceptron rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .backend import INTEGER, AnyBackend, HostArray
from .backend.registry import load_backend
from .backend.seam import check_backend
from .checks.arrays import as_host, as_rows, check_finite, check_range
from .checks.quoting import counted
from .checks.settings import as_generator, is_finite_number, positive_integer
from .checks.warning import warn_user
from .formulas.activation import Activation
from .formulas.activations import step
from .formulas.loss import as_loss
from .layers.dense import Dense
from .layers.parameters import Parameters
from .layers.stack import Stack
from .layers.targets import Targets
from .optimizers import MomentumSGD
from .training.epoch import Epoch
from .training.evaluation import Predictor
from .training.rows import Rows

STEP = Activation.built_in("step", step, lambda _: 1)
"""The step with the slope that the perceptron rule takes for it."""

MOST_SHOWN = 12
"""The most weights that a notebook shows."""


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

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Perceptron
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> perceptron = Perceptron()
    >>> perceptron.fit(X, np.array([0, 0, 0, 1]))  # and
    True
    >>> perceptron.predict(X).ravel()
    array([0, 0, 0, 1])
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
        self._learned: _Learned | None = None

    def fit(self, X: object, target: object) -> bool:
        """Learn from rows (N, d) with targets (N,), 0 or 1, from zero weights; return whether it converged.

        Warns `NotSeparable` where the last epoch still had mistakes. Raises ValueError for other targets, and
        as `Network.fit` for X; OverflowError where the weights stop being finite. After an error the
        perceptron is as it was.
        """
        rows = as_rows(X)
        check_range("X", rows, self.backend.dtype)
        answers = _as_answers(target, len(rows))
        d = rows.shape[1]
        parameters = Parameters(self.backend, [(d, 1)])
        stack = Stack([Dense(d, 1, STEP)], as_loss("mean_absolute_error"), parameters)
        mistakes = self._learn(stack, Rows(rows, Targets(answers, None), None))
        self._learned, self.mistakes, self.converged = _Learned(stack), mistakes, mistakes[-1] == 0
        if not self.converged:
            when = "its only epoch" if self.epochs == 1 else f"the last of {self.epochs} epochs"
            warn_user(
                f"the perceptron made {counted(mistakes[-1], 'mistake')} in {when}. Either no line separates "
                f"the {counted(len(rows), 'row')}, or more epochs are needed to find it. For classes that "
                f"overlap, or lie as in xor, train a Network with a hidden layer.",
                NotSeparable,
            )
        return self.converged

    def _learn(self, stack: Stack, rows: Rows) -> list[int]:
        """Go through the rows until nothing is wrong; return how many answers were wrong in each epoch."""
        optimizer = MomentumSGD(self.learning_rate, momentum=0.0)
        epoch = Epoch(self.backend, stack, "loss", optimizer, rows, batch_size=1)
        compiled = epoch.compile()
        mistakes: list[int] = []
        with np.errstate(over="ignore", invalid="ignore"), self.backend.session(compiled.programs):
            while len(mistakes) < self.epochs and (not mistakes or mistakes[-1]):
                order = self.rng.permutation(len(rows))
                epoch.send(order)
                epoch.take(compiled, order)
                losses = epoch.read(order, epoch.sums).losses
                if not stack.parameters.are_finite():
                    raise OverflowError(
                        f"the perceptron's weights became too large for {self.backend.dtype}. Standardize X, "
                        f"or take a smaller learning rate, which changes no answer."
                    )
                mistakes.append(int(losses.sum()))
        return mistakes

    def weights(self) -> tuple[HostArray, float]:
        """Return the weights (d,) and the bias."""
        parameters = self._found().stack.parameters
        [(weights, bias)] = parameters.unpack(parameters.values)
        return weights[:, 0], float(bias[0])

    def predict(self, X: object) -> HostArray:
        """Return 0 or 1 for each of the rows (n, d), as integers (n,)."""
        found = self._found()
        rows = as_rows(X, found.stack.layers[0].inputs)
        check_range("X", rows, self.backend.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            answers = found.predictor(rows)
        return (answers[:, 0] > 0).astype(INTEGER)

    def _repr_html_(self) -> str:
        """Return the weights, the bias and the boundary as a notebook shows them."""
        from .showing import paragraph, section, table  # only where a notebook asks

        if self._learned is None:
            return section("Perceptron", paragraph("no weights yet: call fit(X, target)"))
        weights, bias = self.weights()
        shown = weights[:MOST_SHOWN].tolist()
        columns = [*(f"w{i}" for i in range(1, len(shown) + 1)), "bias"]
        left_out = len(weights) - len(shown)
        more = f"; {counted(left_out, 'more weight')}" if left_out else ""
        ended = (
            f"{counted(self.mistakes[-1], 'mistake')} in the last of {counted(len(self.mistakes), 'epoch')}"
        )
        where = "" if left_out else f"boundary: {self.boundary()}"
        return section(
            "Perceptron", table(columns, [(*shown, bias)]), paragraph(ended + more), paragraph(where)
        )

    def _found(self) -> _Learned:
        if self._learned is None:
            raise RuntimeError("this perceptron has no weights yet: call fit(X, target) first.")
        return self._learned

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


@dataclass(frozen=True, eq=False)
class _Learned:
    """What a `fit` has learned, and what predicts by it, which is made when it is first asked for."""

    stack: Stack

    @cached_property
    def predictor(self) -> Predictor:
        return Predictor(self.stack.parameters.backend, self.stack)


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
    return array.astype(np.float64).reshape(-1, 1)


def _signed(number: float) -> str:
    return f"{'-' if number < 0 else '+'} {abs(number):.4g}"
