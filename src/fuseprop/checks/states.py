"""States: plain data from `state_dict`, checked before `load_state_dict` changes anything by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np


class Kind(NamedTuple):
    """What a value in a state must be: in words, and as a test."""

    words: str
    fits: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return is_number and not bool(np.isnan(value))


def _is_count(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 0)


COUNT = Kind("a whole number of at least 0", _is_count)
NUMBER = Kind("a number", _is_number)
TEXT = Kind("a text", lambda value: isinstance(value, str))
STATE = Kind("a state of its own", lambda value: isinstance(value, Mapping))
ANY = Kind("anything", lambda _: True)
SEQUENCE = Kind("a list", lambda value: isinstance(value, list | tuple))


def check_state(owner: str, state: object, **kinds: Kind) -> None:
    """Raise ValueError, before anything has changed, for what is no state of `owner` with these values."""
    advice = "Give what its state_dict returned."
    if not isinstance(state, Mapping):
        raise ValueError(f"a state of {owner} is a dict, got {state!r:.60}. {advice}")
    missing = [name for name in kinds if name not in state]
    if missing:
        raise ValueError(f"this is no state of {owner}: it lacks {', '.join(missing)}. {advice}")
    for name, (words, fits) in kinds.items():
        if not fits(state[name]):
            raise ValueError(
                f"this is no state of {owner}: {name} must be {words}, got {state[name]!r:.60}. {advice}"
            )
