"""Checks of settings that users pass in: numbers, flags, seeds, sequences, paths and objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import TypeVar

import numpy as np

from .masked import is_masked

T = TypeVar("T")

FLAGS = (bool, np.bool_)
"""The types of True and False: no numbers here, although `float` takes them, and masked values."""


def check_methods(name: str, value: object, methods: Sequence[str], expected: str) -> None:
    """Raise TypeError if `value` lacks one of these methods, or is a class instead of its object."""
    is_class = isinstance(value, type)
    if is_class or not all(callable(getattr(value, method, None)) for method in methods):
        got = f"the class {value.__name__}" if isinstance(value, type) else repr(value)
        raise TypeError(f"{name} must be {expected}, got {got:.100}.")


def check_flag(name: str, value: object) -> None:
    """Raise TypeError unless `value` is True or False."""
    if not isinstance(value, FLAGS):
        raise TypeError(f"{name} must be True or False, got {value!r:.60}.")


def is_finite_number(value: object) -> bool:
    """Whether `value` is a single finite number; True, False and masked values count as none."""
    if isinstance(value, FLAGS) or is_masked(value) or getattr(value, "shape", ()) != ():
        return False
    try:
        return isfinite(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


def positive_integer(name: str, value: object) -> int:
    """Return `value` as an int of at least 1, or raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}.")
    return int(value)


def as_generator(seed: object) -> np.random.Generator:
    """Return a generator of random numbers for a seed; a Generator is returned itself.

    Raises ValueError for True, False and anything that `numpy.random.default_rng` refuses.
    """
    try:
        if isinstance(seed, FLAGS):
            raise TypeError("True and False are no seeds")
        return np.random.default_rng(seed)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"seed must be a whole number of at least 0, a numpy.random.Generator, or None for another one "
            f"each time, got {seed!r:.60}."
        ) from error


def as_list(name: str, values: Iterable[T] | object, example: str) -> list[T]:
    """Return a sequence as a list; raise TypeError for text, sets, dicts and anything not iterable."""
    if isinstance(values, str | bytes | set | frozenset | dict) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a sequence such as {example}, got {values!r:.60}.")
    return list(values)


def as_path(path: object, example: str) -> Path:
    """Return a path; raise TypeError if `pathlib.Path` does not take it."""
    try:
        return Path(path)  # type: ignore[arg-type]
    except TypeError as error:
        raise TypeError(f'a path such as "{example}" is needed, got {path!r:.60}.') from error


def network_sizes(network: str | Sequence[int]) -> list[int]:
    """Return the sizes of a network, written as "64-32-10" or listed. Raises ValueError for anything else."""
    expected = f'expected sizes such as "64-32-10", inputs first, got {network!r:.60}.'
    try:
        sizes = [int(size) for size in (network.split("-") if isinstance(network, str) else network)]
    except (TypeError, ValueError):
        raise ValueError(expected) from None
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(expected)
    return sizes
