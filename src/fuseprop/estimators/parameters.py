"""What the estimators' parameters may be: scikit-learn's own checks for scikit-learn's, ours for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, cast

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

from ..activations import ACTIVATIONS
from ..backend import Activation
from ..choices import choose

STOCHASTIC = ("sgd", "adam")
"""The solvers that learn from minibatches."""

NAMES: dict[str, str] = {"logistic": "sigmoid"} | {name: name for name in ACTIVATIONS}
"""The activations by scikit-learn's names and by fuseprop's own."""

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions({"identity", "logistic", "tanh", "relu", "sigmoid"}), "array-like"],
    "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), callable],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "device": [str, None],
    "dtype": [StrOptions({"float32", "float64"}), None],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
    "callbacks": [HasMethods(["start", "epoch_end", "end"]), "array-like", None],
}


def hidden_sizes(sizes: Any) -> list[int]:
    """Return the hidden layers' sizes as a list; a single number stands for one layer."""
    listed = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if np.any(np.array(listed) <= 0):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {listed}.")
    return [int(size) for size in listed]


def hidden_activations(activation: str | Sequence[str], hidden: Sequence[int]) -> list[Activation]:
    """Return fuseprop's name of each hidden layer's activation.

    Raises ValueError for another number of names than there are hidden layers, and for unknown names.
    """
    names = [activation] * len(hidden) if isinstance(activation, str) else list(activation)
    if len(names) != len(hidden):
        raise ValueError(
            f"activation has {len(names)} entries for {len(hidden)} hidden layers "
            f"(hidden_layer_sizes={tuple(hidden)}); give one name or exactly {len(hidden)}."
        )
    return [cast(Activation, choose("activation", name, NAMES)) for name in names]
