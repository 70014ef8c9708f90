"""The parameters of an estimator as plain data for model files, and back.

Numbers of NumPy keep their types, which arithmetic depends on; schedules of `fuseprop.schedules` are kept by
their names and numbers, a RandomState by its state. Other functions and objects cannot be kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils._param_validation import validate_parameter_constraints

from ..checks.quoting import literal
from ..checks.states import LARGEST
from ..schedules import Constant, Cosine, Exponential, InverseScaling, Step
from ..training.orders import load_generator_state

ELSEWHERE = ("hidden_layer_sizes", "activation", "loss", "device", "callbacks")
"""Parameters that a model file has in its configuration, and those that belong to a machine or a process."""

FREE = ("max_iter", "max_fun", "verbose", "warm_start", "dtype", "batch_size")
"""Parameters that may change where a training goes on, and two that are compared as what they come to."""

SCHEDULES = {kind.__name__: kind for kind in (Constant, Cosine, Exponential, InverseScaling, Step)}
"""The schedules that are kept, by name."""

SCALARS = {
    np.dtype(kind).name: kind
    for kind in (
        *(np.bool_, np.float16, np.float32, np.float64),
        *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
    )
}
"""NumPy's types of numbers by name."""


def keep_parameters(estimator: Any) -> tuple[dict[str, Any], list[str]]:
    """Return an estimator's parameters as plain data, and the names of those that cannot be kept."""
    kept, left_out = {}, []
    for name, value in estimator.get_params(deep=False).items():
        if name in ELSEWHERE:
            continue
        try:
            kept[name] = _keep(value)
        except TypeError:
            left_out.append(name)
    return kept, left_out


def compared(estimator: Any) -> dict[str, Any]:
    """Return the parameters that must be as they were where a training goes on, as plain data by name."""
    kept, _ = keep_parameters(estimator)
    if isinstance(estimator.random_state, np.random.RandomState):
        kept.pop("random_state", None)  # it goes on from the state that it has in the checkpoint
    return {name: value for name, value in kept.items() if name not in FREE}


def set_parameters(estimator: Any, kept: Any) -> None:
    """Set what `keep_parameters` has kept. Raises ValueError, TypeError or LookupError for anything else."""
    if not isinstance(kept, dict):
        raise TypeError(f"expected parameters by name, got {type(kept).__name__}")
    allowed = estimator.get_params(deep=False).keys() - {*ELSEWHERE}
    strange = [name for name in kept if name not in allowed]
    if strange:
        raise ValueError(f"{type(estimator).__name__} has no parameter {literal(strange[0])}")
    values = {name: _value(value) for name, value in kept.items()}
    constraints = {name: each for name, each in estimator._parameter_constraints.items() if name in values}
    validate_parameter_constraints(constraints, values, caller_name=type(estimator).__name__)
    estimator.set_params(**values)


def _keep(value: Any) -> Any:
    """Return a value as plain data. Raises TypeError where it cannot be kept."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.str_):
        return str(value)
    if isinstance(value, np.generic) and value.dtype.name in SCALARS:
        return {"numpy": value.dtype.name, "value": value.item()}
    if type(value) in SCHEDULES.values():
        return {"schedule": type(value).__name__, "numbers": _keep(vars(value))}
    if isinstance(value, np.random.RandomState):
        return {"random_state": _keep_state(value)}
    if isinstance(value, dict):
        return {"pairs": [[_keep(key), _keep(entry)] for key, entry in value.items()]}
    if isinstance(value, list):
        return [_keep(entry) for entry in value]
    raise TypeError(f"{type(value).__name__} cannot be kept")


def _value(kept: Any) -> Any:
    """Return the value that `_keep` has kept. Raises as `set_parameters`."""
    if kept is None or type(kept) in (bool, float, str):
        return kept
    if type(kept) is int and abs(kept) < LARGEST:
        return kept
    if isinstance(kept, list):
        return [_value(entry) for entry in kept]
    if isinstance(kept, dict):
        keys = kept.keys()
        if keys == {"numpy", "value"} and type(kept["value"]) in (bool, int, float):
            return SCALARS[kept["numpy"]](kept["value"])
        if keys == {"schedule", "numbers"}:
            return _schedule(SCHEDULES[kept["schedule"]], _value(kept["numbers"]))
        if keys == {"random_state"}:
            return _random_state(kept["random_state"])
        if keys == {"pairs"} and isinstance(kept["pairs"], list):
            return {_value(key): _value(entry) for key, entry in kept["pairs"]}
    raise ValueError(f"expected the value of a parameter, got {type(kept).__name__}")


def _schedule(kind: type[Any], numbers: dict[str, Any]) -> Any:
    # A whole number above 1 to the power of the epoch may be beyond all memory; as a float it overflows.
    whole = {name for name, number in numbers.items() if name == "factor" and type(number) is int}
    return kind(**{name: float(number) if name in whole else number for name, number in numbers.items()})


def _keep_state(rng: np.random.RandomState) -> dict[str, Any]:
    state: Any = rng.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise TypeError("only the Mersenne Twister is kept")
    return {
        "key": state["state"]["key"].tolist(),
        "position": int(state["state"]["pos"]),
        "has_gauss": bool(state["has_gauss"]),
        "gauss": float(state["gauss"]),
    }


def _random_state(kept: Any) -> np.random.RandomState:
    if not isinstance(kept, dict) or kept.keys() != {"key", "position", "has_gauss", "gauss"}:
        raise ValueError("expected the state of a Mersenne Twister")
    made = np.random.RandomState(0)
    state = {"key": np.array(kept["key"], np.uint32), "pos": kept["position"]}
    has_gauss = int(kept["has_gauss"])
    load_generator_state(
        made,
        {"bit_generator": "MT19937", "state": state, "has_gauss": has_gauss, "gauss": kept["gauss"]},
    )
    return made
