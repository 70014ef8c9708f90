"""The check of shapes with which every operation begins: a kernel cannot check them."""

from __future__ import annotations

from typing import Any, TypeAlias

from fuseprop.backend import Shape

Array: TypeAlias = Any
"""`cupy.ndarray`; CuPy is imported when a backend is made, not before."""


def expect(shape: Shape, **arrays: Array) -> None:
    """Raise a ValueError for the first of the arrays, by name, that has another shape."""
    for name, array in arrays.items():
        if array.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {array.shape}.")
