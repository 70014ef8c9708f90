"""What passes through the seam: arrays of a backend, arrays on the host, their shapes and dtypes."""

from __future__ import annotations

from typing import Any, Protocol, Self, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

HostArray: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]

INTEGER = np.dtype(np.int64)
"""The dtype of labels, orders and cursors on every backend."""


@runtime_checkable
class Array(Protocol):
    """What the core may use of a backend's array; views share memory, as in NumPy."""

    @property
    def shape(self) -> Shape:
        """Lengths of the axes."""

    @property
    def dtype(self) -> Any:
        """A NumPy dtype."""

    @property
    def T(self) -> Self:  # noqa: N802 (the field's name)
        """The transposed view; only `Backend.matmul` takes one."""

    def __getitem__(self, rows: slice, /) -> Self:
        """Return a view of consecutive rows, `[i:j]`."""

    def reshape(self, shape: Shape, /) -> Self:
        """Return a view in another shape; the array is contiguous."""


A = TypeVar("A", bound=Array)
