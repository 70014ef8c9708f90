"""The values that the estimators' parameters may take, checked as scikit-learn checks its own."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, cast

import numpy as np
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
)

from ..formulas.activations import AnyActivation
from ..checks.choices import choose
from ..checks.quoting import counted
from ..formulas.activations import ACTIVATIONS

STOCHASTIC = ("sgd", "adam")
"""The solvers that learn from minibatches."""

NAMES: dict[str, str] = {"logistic": "sigmoid"} | {name: name for name in ACTIVATIONS}
"""The activations by scikit-learn's names and by fuseprop's own."""


class Number(Interval):
    """The numbers of an interval, without True and False."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether this is such a number."""
        return not isinstance(val, bool) and bool(super().is_satisfied_by(val))


CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Number(Integral, 1, None, closed="left")],
    "activation": [StrOptions({"identity", "logistic", "tanh", "relu", "sigmoid"}), "array-like"],
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


def hidden_activations(activation: str | Sequence[str], hidden: Sequence[int]) -> list[str]:
    """Return fuseprop's name of each hidden layer's activation.

    Raises ValueError for another number of names than there are hidden layers, and for unknown names.
    """
    names = [activation] * len(hidden) if isinstance(activation, str) else list(activation)
    if len(names) != len(hidden):
        raise ValueError(
            f"activation has {counted(len(names), 'entry', 'entries')} for "
            f"{counted(len(hidden), 'hidden layer')} "
            f"(hidden_layer_sizes={tuple(hidden)}); give one name or exactly {len(hidden)}."
        )
    return [choose("activation", name, NAMES) for name in names]
