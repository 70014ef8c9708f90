"""`fuseprop.backend.Backend` on CuPy: one NVIDIA GPU, fused kernels, nothing read back in a step.

Every method checks shapes, chooses a grid and launches; the kernels' formulas stand in kernels/. All sums
run in an order that depends on the shapes alone, without atomics: the same inputs give the same bits.
Results in float32 differ from the CPU's where the compiler fuses a product with a sum, and below 1.2e-38,
where CuPy's compiler options flush to zero.

Each call makes its device current for the calling thread and leaves it so. Work goes to the thread's current
CuPy stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np

from fuseprop.backend import Backend, BackendUnavailable, Program, Runner, replay_by_calling

from .dense import DenseOperations
from .device import Array
from .fused import FusedOperations
from .inference import InferenceOperations
from .rows import RowOperations


class CupyBackend(RowOperations, DenseOperations, InferenceOperations, FusedOperations):
    """Arrays are `cupy.ndarray`, on one CUDA device.

    Parameters
    ----------
    dtype : "float32" | "float64"
        The dtype of values, gradients and losses.
    device : "cuda" | "cuda:0" | "cuda:1" | ...
        "cuda" is "cuda:0". Raises BackendUnavailable, with the cause and what to type, where it cannot be
        used; the question is put to the machine once a process.
    """

    name = "cupy"

    def __init__(self, dtype: str = "float32", device: str = "cuda:0") -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}.')
        super().__init__(_ordinal(device), np.dtype(dtype))

    def compile(self, program: Program) -> Runner:
        return replay_by_calling(self, program)

    def session(self, programs: Sequence[Program]) -> AbstractContextManager[None]:
        return nullcontext()


def _ordinal(device: str) -> int:
    kind, colon, number = device.partition(":")
    if kind == "cuda" and number.isdecimal():
        return int(number)
    if kind == "cuda" and not colon:
        return 0
    raise BackendUnavailable(f'The cupy backend computes on "cuda" or "cuda:N", {device!r} was asked for.')


if TYPE_CHECKING:
    _: type[Backend[Array]] = CupyBackend
