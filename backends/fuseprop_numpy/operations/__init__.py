"""The protocol's operations on NumPy arrays, each written once: as the list of NumPy calls that it makes.

Called, an operation makes its calls; a replay binds them once and makes them again and again. All build on
`scratch` (temporary arrays) and `calls` (what an operation is); none knows of programs.
"""

from .arrays import ArrayOperations
from .dense import DenseOperations
from .row_reductions import ReductionOperations
from .rows import RowOperations
from .updates import UpdateOperations


class NumpyOperations(ArrayOperations, RowOperations, DenseOperations, ReductionOperations, UpdateOperations):
    """All operations, in one dtype and over the same temporary arrays."""


__all__ = ["NumpyOperations"]
