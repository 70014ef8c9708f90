"""The curves and counters that training goes on from, as plain data, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..checks.states import COUNT, NUMBER, Kind, check_state


def _is_float(value: Any) -> bool:
    return type(value) is float


def _is_curve(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_float, value))


_BEST = Kind("a number, or None", lambda value: value is None or NUMBER.fits(value))

COUNTERS = {"n_iter_": COUNT, "t_": COUNT}
"""What every solver sets, by attribute."""

LOSS = {"loss_": Kind("a float", _is_float)}
"""What is there after the first epoch."""

CURVES = {
    "loss_curve_": Kind("a list of floats", _is_curve),
    "validation_scores_": Kind("a list of floats, or None", lambda value: value is None or _is_curve(value)),
    "best_loss_": _BEST,
    "best_validation_score_": _BEST,
    "_no_improvement_count": COUNT,
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
