"""What training goes on from, beside the weights, as plain data for model files, and back."""

from __future__ import annotations

import inspect
from typing import Any

from ..checks.quoting import literal
from ..checks.warning import warn_user
from ..layers.parameters import starts_of
from .curves import check_curves, curves_of, set_curves
from .kept_parameters import ELSEWHERE, keep_parameters, set_parameters
from .optimizer_state import OptimizerState

EVERYTHING = "everything"
"""Stands for all that training goes on from, where a file has nothing of it."""


def training_of(estimator: Any) -> dict[str, Any] | None:
    """Return the parameters, curves, counters and optimizer of a fitted estimator as plain data.

    None for an estimator from a file without them, which has not been trained since. Raises ValueError where
    attributes were set to what no training makes of them.
    """
    lacking = _lacking(estimator)
    if EVERYTHING in lacking:
        return None
    parameters, left_out = keep_parameters(estimator)
    curves = curves_of(estimator)
    check_curves(curves)
    optimizer = getattr(estimator, "_optimizer", None)
    return {
        "parameters": {name: value for name, value in parameters.items() if name not in lacking},
        "left_out": [*left_out, *lacking],
        "curves": curves,
        "optimizer": None if optimizer is None else optimizer.plain(),
    }


def set_training(estimator: Any, training: object | None) -> None:
    """Let an estimator whose weights are set go on from what `training_of` returned.

    Raises ValueError, TypeError, LookupError or OverflowError for anything else.
    """
    if training is None:
        estimator._lacking = [EVERYTHING]
        return
    if not isinstance(training, dict) or training.keys() != {"parameters", "left_out", "curves", "optimizer"}:
        raise ValueError("expected parameters, what was left out of them, curves and an optimizer")
    set_parameters(estimator, training["parameters"])
    left_out, names = training["left_out"], estimator.get_params(deep=False).keys() - {*ELSEWHERE}
    if not isinstance(left_out, list) or not all(name in names for name in left_out):
        raise ValueError("expected the names of parameters that were left out")
    if left_out:
        estimator._lacking = left_out
    set_curves(estimator, training["curves"])
    if training["optimizer"] is not None:
        size = starts_of(coef.shape for coef in estimator.coefs_)[-1]
        estimator._optimizer = OptimizerState.of_plain(training["optimizer"], size)


def warn_of_what_lacks(estimator: Any) -> None:
    """Warn where training would go on from less than it would have, had the estimator not been in a file."""
    lacking = _lacking(estimator)
    if EVERYTHING in lacking:
        warn_user(
            "this estimator is from a model file that has nothing which training goes on from: it goes on "
            "from the weights alone, with a new optimizer, new curves and the parameters that it has now. "
            "`save` of an estimator keeps it all, unless it is called with training=False."
        )
    elif lacking:
        warn_user(
            f"this estimator is from a model file, which cannot keep the {', '.join(lacking)} that it was "
            f"trained with: training goes on with {_shown(estimator, lacking)}. Set what is meant by "
            f"set_params."
        )


def _lacking(estimator: Any) -> list[str]:
    """Return what the estimator's file did not have, without the parameters that have been set since."""
    names = getattr(estimator, "_lacking", ())
    defaults = inspect.signature(type(estimator)).parameters if names else {}
    return [
        name for name in names if name == EVERYTHING or getattr(estimator, name) is defaults[name].default
    ]


def _shown(estimator: Any, names: list[str]) -> str:
    return ", ".join(f"{name}={literal(getattr(estimator, name))}" for name in names)
