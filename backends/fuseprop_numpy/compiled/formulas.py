"""Formulas as the library takes them: by their numbers in its tables, and as code where they have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from fuseprop.backend import ActivationFormula, Expression, HostArray, LossFormula, UpdateFormula, variable

from .interpreted import CannotCompute, assembled
from .shapes import (
    TABLES,
    Shape,
    in_dtype,
    loss_shape,
    slope_of_point,
    slope_shape,
    update_shape,
    value_shape,
    with_names,
)

__all__ = ["CannotCompute", "Encoded", "Kernels", "encode_activation", "encode_loss", "encode_update"]

NO_CODE = np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class Encoded:
    """A formula for a library; its arrays must live as long as what points to them, and stay as they are.

    Attributes
    ----------
    kernel : int
        Its place in the table of its kind; -1 where there is `code`.
    constants : array (c,)
        Its numbers, in the dtype.
    code : int32 array
        What the interpreter does.
    """

    kernel: int
    constants: HostArray
    code: HostArray

    @cached_property
    def fields(self) -> tuple[int, int, int, int, int]:
        """What the struct `Formula` of native/interface.hpp holds, in its order."""
        constants, code = self.constants, self.code
        return self.kernel, constants.ctypes.data, constants.size, code.ctypes.data, code.size


@dataclass(frozen=True, eq=False)
class Kernels:
    """What a library computes, as it says itself: so one that is stale is never taken for another.

    Attributes
    ----------
    tables : mapping
        By the kind of shape, the places of the shapes' keys.
    operations : mapping
        The numbers of the interpreter's operations.
    """

    tables: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    operations: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Kernels:
        """Return what a library says, by `fuseprop_kernels`."""
        lines = [line.split() for line in text.splitlines()]
        numbered = {kind: {name: i for i, name in enumerate(names)} for kind, *names in lines}
        return cls({kind: numbered.get(kind, {}) for kind in TABLES}, numbered.get("Operation", {}))


@lru_cache(1000)
def encode_activation(
    formula: ActivationFormula, dtype: np.dtype[Any], kernels: Kernels
) -> tuple[Encoded, Encoded]:
    """Return an activation and its slope for a library. Raises CannotCompute."""
    through = variable("gradient") * slope_of_point(formula)
    return (
        _encoded(value_shape(formula), dtype, kernels, {"z": formula.value}, ["z"]),
        _encoded(slope_shape(formula), dtype, kernels, {"gradient": through}, ["gradient", "x"]),
    )


@lru_cache(1000)
def encode_loss(formula: LossFormula, dtype: np.dtype[Any], kernels: Kernels) -> Encoded:
    """Return a loss for a library. Raises CannotCompute."""
    results = {"term": formula.term, "slope": formula.slope}
    return _encoded(loss_shape(formula), dtype, kernels, results, ["y", "t", "term", "slope"])


@lru_cache(1000)
def encode_update(formula: UpdateFormula, dtype: np.dtype[Any], kernels: Kernels) -> Encoded:
    """Return an update for a library. Raises CannotCompute."""
    named = with_names(formula, "m{}", "s{}")
    given = ["w", "g", *(name for name, _ in named.moments)]
    return _encoded(update_shape(formula), dtype, kernels, named.results, given, named.settings)


def _encoded(
    shape: Shape,
    dtype: np.dtype[Any],
    kernels: Kernels,
    results: Mapping[str, Expression],
    given: Sequence[str],
    settings: Sequence[str] = (),
) -> Encoded:
    """Return what the library has of that shape, or code that computes the results."""
    place = kernels.tables.get(shape.kind, {}).get(shape.key)
    if place is not None:
        return Encoded(place, in_dtype(shape.numbers, dtype), NO_CODE)
    return Encoded(-1, *assembled(results, dtype, kernels.operations, given=given, settings=settings))
