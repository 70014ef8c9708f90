"""The values that the estimators' parameters may take, checked as scikit-learn checks its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
)

from ..checks.quoting import counted
from ..data.tasks import is_for_classes
from ..formulas.activation import (
    ACTIVATIONS,
    Activation,
    AnyActivation,
    as_trainable_activation,
    trainable_activations,
)
from ..formulas.families import Family, member_named
from ..formulas.loss import LOSSES, AnyLoss, Loss, SoftmaxCrossEntropy, as_loss

STOCHASTIC = ("sgd", "adam")
"""The solvers that learn from minibatches."""

ACTIVATION_NAMES = {"logistic": ACTIVATIONS["sigmoid"], **trainable_activations()}
"""The activations by scikit-learn's names and by fuseprop's own."""

LOSS_NAMES = {
    "squared_error": LOSSES["half_squared_error"],
    "poisson": LOSSES["half_poisson_deviance"],
    "absolute_error": LOSSES["mean_absolute_error"],
    **{name: family for name, family in LOSSES.items() if not is_for_classes(family())},
}
"""The losses of numbers by scikit-learn's names and by fuseprop's own."""


class Number(Interval):
    """The numbers of an interval, without True and False."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether this is such a number."""
        return not isinstance(val, bool) and bool(super().is_satisfied_by(val))


class Formula(Options):
    """A name, a formula of some types, or a family; `chosen_activation` says which names there are."""

    def __init__(self, types: tuple[type, ...], words: str) -> None:
        super().__init__(str, set())
        self._types, self._words = types, words

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether this is one."""
        return isinstance(val, (str, Family, *self._types))

    def __str__(self) -> str:
        return self._words


ACTIVATION = Formula(
    (Activation,),
    'a name such as "gelu" or "leaky_relu(0.2)", an Activation such as fuseprop.Activation("mine", lambda z: '
    "z * sigmoid(z))",
)

LOSS = Formula(
    (Loss, SoftmaxCrossEntropy),
    'a name such as "squared_error" or "huber(1.35)", or a Loss such as fuseprop.Loss("mine", lambda y, t: '
    "(y - t) ** 2)",
)


CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Number(Integral, 1, None, closed="left")],
    "activation": [ACTIVATION, "array-like"],
    "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
    "alpha": [Number(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Number(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), callable],
    "learning_rate_init": [Number(Real, 0, None, closed="neither")],
    "power_t": [Number(Real, 0, None, closed="left")],
    "max_iter": [Number(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": [Number(Integral, 0, 2**32 - 1, closed="both"), np.random.RandomState, None],
    "tol": [Number(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Number(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Number(Real, 0, 1, closed="left")],
    "beta_1": [Number(Real, 0, 1, closed="left")],
    "beta_2": [Number(Real, 0, 1, closed="left")],
    "epsilon": [Number(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Number(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Number(Integral, 1, None, closed="left")],
    "device": [str, None],
    "dtype": [StrOptions({"float32", "float64"}), None],
    "dropout": [Number(Real, 0, 1, closed="left")],
    "clip_norm": [Number(Real, 0, None, closed="neither"), None],
    "callbacks": [HasMethods(["start", "epoch_end", "end"]), "array-like", None],
}


def hidden_sizes(sizes: Any) -> list[int]:
    """Return the hidden layers' sizes as a list; a single number stands for one layer.

    Raises ValueError for sizes below 1, and InvalidParameterError, a ValueError, for what are no whole
    numbers.
    """
    listed = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if isinstance(sizes, dict | set) or not all(
        isinstance(size, Integral) and not isinstance(size, bool) for size in listed
    ):
        raise InvalidParameterError(
            f"hidden_layer_sizes must hold whole numbers, one a hidden layer, such as (100, 50), got "
            f"{sizes!r:.100}."
        )
    if np.any(np.array(listed) <= 0):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {listed}.")
    return [int(size) for size in listed]


def chosen_activation(given: AnyActivation) -> Activation:
    """Return an activation from scikit-learn's name of it, from ours, or as an object.

    Raises InvalidParameterError, a ValueError, for anything else.
    """
    try:
        return as_trainable_activation(given, ACTIVATION_NAMES)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(str(error)) from None


def chosen_activations(given: AnyActivation | Sequence[AnyActivation]) -> list[Activation]:
    """Return the one activation for all layers, or one of each, that a parameter holds. Raises as for one."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        return [chosen_activation(given)]
    return [chosen_activation(each) for each in given]


def hidden_activations(
    given: AnyActivation | Sequence[AnyActivation], hidden: Sequence[int]
) -> list[Activation]:
    """Return the activation of each hidden layer.

    Raises ValueError for another number of them than there are hidden layers, and for unknown names.
    """
    activations = chosen_activations(given)
    if isinstance(given, str) or not isinstance(given, Iterable):
        activations *= len(hidden)
    if len(activations) != len(hidden):
        raise ValueError(
            f"activation has {counted(len(activations), 'entry', 'entries')} for "
            f"{counted(len(hidden), 'hidden layer')} "
            f"(hidden_layer_sizes={tuple(hidden)}); give one name or exactly {len(hidden)}."
        )
    return activations


def chosen_loss(given: str | AnyLoss | Family[AnyLoss]) -> AnyLoss:
    """Return a loss of numbers from scikit-learn's name of it, from ours, or as an object.

    Raises InvalidParameterError, a ValueError, for anything else, and for a loss of classes.
    """
    try:
        is_ours = not isinstance(given, str) or given.partition("(")[0].strip() in LOSSES
        loss = as_loss(given) if is_ours else member_named("loss", given, LOSS_NAMES)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(str(error)) from None
    if is_for_classes(loss):
        raise InvalidParameterError(
            f"loss {loss} is one of classes, but a regressor learns numbers. Take MLPClassifier for classes, "
            f'or another loss, such as "squared_error" or "huber".'
        )
    return loss
