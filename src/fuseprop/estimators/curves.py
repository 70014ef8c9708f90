"""The curves and counters that training goes on from, as plain data, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isnan
from typing import Any

from ..checks.states import Kind, check_state

LARGEST = 2**63
"""Counts are below this."""


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < LARGEST


def _is_float(value: Any) -> bool:
    return type(value) is float


def _is_curve(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_float, value))


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


_COUNT = Kind("a count", _is_count)
_FLOAT = Kind("a float", _is_float)
_BEST = Kind("a float but nan, or None", _or_none(lambda value: _is_float(value) and not isnan(value)))

COUNTERS = {"n_iter_": _COUNT, "t_": _COUNT}
"""What every solver sets, by attribute."""

LOSS = {"loss_": _FLOAT}
"""What is there after the first epoch."""

CURVES = {
    "loss_curve_": Kind("a list of floats", _is_curve),
    "validation_scores_": Kind("a list of floats, or None", _or_none(_is_curve)),
    "best_loss_": _BEST,
    "best_validation_score_": _BEST,
    "_no_improvement_count": _COUNT,
}
"""What "sgd" and "adam" set and go on from, all or none."""


def curves_of(estimator: Any) -> dict[str, Any]:
    """Return the counters and curves that an estimator has, as plain data."""
    return {
        name: _plain(getattr(estimator, name))
        for name in (*COUNTERS, *LOSS, *CURVES)
        if hasattr(estimator, name)
    }


def check_curves(state: Mapping[str, Any]) -> None:
    """Raise ValueError for what `curves_of` would not return."""
    given = state.keys() if isinstance(state, Mapping) else set()
    curves, loss = (kinds if kinds.keys() & given else {} for kinds in (CURVES, LOSS))
    check_state("an estimator", state, **COUNTERS, **loss, **curves)
    if curves:
        scored = [state[name] is not None for name in ("validation_scores_", "best_validation_score_")]
        if scored != 2 * [state["best_loss_"] is None]:
            raise ValueError("an estimator has a best loss, or validation scores and the best of them.")


def set_curves(estimator: Any, state: Mapping[str, Any]) -> None:
    """Set what `curves_of` returned. Raises ValueError for anything else, and changes nothing then."""
    check_curves(state)
    for name in (*COUNTERS, *LOSS, *CURVES):
        if name in state:
            value = state[name]
            setattr(estimator, name, list(value) if isinstance(value, list) else value)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [float(each) for each in value]
    return value.item() if hasattr(value, "item") else value
