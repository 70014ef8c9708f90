"""`fuseprop.backend.Backend` on NumPy: in place, `out` everywhere, nothing allocated in a step.

Called one by one, operations are those of `operations`; a compiled program is replayed by `replay`,
`feature_major` for small networks, or `shared` for wide batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import numpy as np

from fuseprop.backend import Backend, BackendUnavailable, HostArray, Program, Runner

from .feature_major import prebound
from .operations.arrays import ArrayOperations
from .operations.dense import DenseOperations
from .operations.row_reductions import ReductionOperations
from .operations.rows import RowOperations
from .operations.updates import UpdateOperations
from .shared import Shared, shared_parts
from .threads.blas_limit import ENOUGH, ONE_THREAD, multiplications
from .threads.denormals import flushing


class NumpyBackend(ArrayOperations, RowOperations, DenseOperations, ReductionOperations, UpdateOperations):
    """Arrays are `numpy.ndarray`, on the CPU.

    Parameters
    ----------
    dtype : "float32" | "float64"
        The dtype of values, gradients and losses.
    device : "cpu"
        The only device; another one raises BackendUnavailable.
    """

    name = "numpy"
    protocol_version = 2
    device = "cpu"

    def __init__(self, dtype: str = "float32", device: str = "cpu") -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}.')
        if device != "cpu":
            raise BackendUnavailable(f'The numpy backend computes on "cpu" only, {device!r} was asked for.')
        super().__init__(np.dtype(dtype))
        # Cut for threads: those whose products stay within one of them. A program that is gone needs none.
        self._shared: WeakValueDictionary[int, Program] = WeakValueDictionary()

    def compile(self, program: Program) -> Runner:
        parts = shared_parts(program)
        if parts is not None:
            self._shared[id(program)] = program
        return flushing((prebound(self, program) if parts is None else Shared(self, program, parts)).run)

    def session(self, programs: Sequence[Program]) -> AbstractContextManager[None]:
        small = max(map(multiplications, programs), default=0) < ENOUGH
        alone = small or any(self._shared.get(id(program)) is program for program in programs)
        return ONE_THREAD.hold() if alone else nullcontext()


if TYPE_CHECKING:
    _: type[Backend[HostArray]] = NumpyBackend
