"""States: plain data from `state_dict`, checked before `load_state_dict` changes anything by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isnan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .quoting import literal

LARGEST = 2**63
"""Counts are below this, as the integers of a device are."""


class Kind(NamedTuple):
    """What a value in a state must be: in words, and as a test."""

    words: str
    fits: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    try:
        return not isnan(value)
    except OverflowError:
        return False


def _is_count(value: Any) -> bool:
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_whole and 0 <= int(value) < LARGEST


COUNT = Kind("a whole number of at least 0", _is_count)
NUMBER = Kind("a number", _is_number)
FLAG = Kind("True or False", lambda value: isinstance(value, bool))
TEXT = Kind("a text", lambda value: isinstance(value, str))
STATE = Kind("a state of its own", lambda value: isinstance(value, Mapping))
ANY = Kind("anything", lambda _: True)
CURVE = Kind(
    "an array of numbers, one after the other",
    lambda value: isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype == np.float64,
)
SEQUENCE = Kind("a list", lambda value: isinstance(value, list | tuple))


def check_state(owner: str, state: object, **kinds: Kind) -> None:
    """Raise ValueError, before anything has changed, for what is no state of `owner` with these values."""
    advice = "Give what its state_dict returned."
    if not isinstance(state, Mapping):
        raise ValueError(f"a state of {owner} is a dict, got {described(state)}. {advice}")
    missing = [name for name in kinds if name not in state]
    if missing:
        raise ValueError(f"this is no state of {owner}: it lacks {', '.join(missing)}. {advice}")
    for name, (words, fits) in kinds.items():
        if not fits(state[name]):
            raise ValueError(
                f"this is no state of {owner}: {name} must be {words}, got {described(state[name])}. {advice}"
            )


def check_array(owner: str, name: str, value: object, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an array of this shape and dtype; raise ValueError for anything else."""
    if not (isinstance(value, np.ndarray) and value.shape == shape and value.dtype == dtype):
        raise ValueError(
            f"this is no state of {owner}: {name} must be an array of {np.dtype(dtype)} of the shape "
            f"{shape}, got {described(value)}. Give what its state_dict returned."
        )
    return value


def is_same(first: Any, second: Any) -> bool:
    """Whether two values of plain data are equal; an array equals no other value."""
    try:
        return not isinstance(first, np.ndarray) and bool(first == second)
    except ValueError:  # of arrays within
        return False


def described(value: object) -> str:
    """Return a value in one line, an array by its dtype and shape."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of the shape {value.shape}"
    return literal(value).replace("\n", " ")
