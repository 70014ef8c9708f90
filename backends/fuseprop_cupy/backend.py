"""`fuseprop.backend.Backend` on CuPy: an NVIDIA GPU, fused kernels, and no copy to the host within a step.

Every method checks shapes, chooses a grid and launches; the kernels' formulas stand in kernels/. The order of
each sum depends on the shapes alone, and no kernel uses atomics: the same inputs give the same bits. Results
in float32 differ from the CPU's where the compiler contracts a product and a sum into one instruction, and
below 1.2e-38, because CuPy compiles with denormals flushed to zero.

Each call makes its device current for the calling thread and leaves it current. Work goes to the thread's
current CuPy stream.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

import numpy as np

from fuseprop.backend import BackendForProcesses, BackendUnavailable, Program, Runner, replay_by_calling

from .device.kernel_list import source_hashes
from .device.products import warn_of_tf32
from .device.shapes import Array
from .operations.dense import DenseOperations
from .operations.fused import FusedOperations
from .operations.rows import RowOperations
from .replay.plan import plan
from .replay.replay import PlanReplay


class CupyBackend(RowOperations, DenseOperations, FusedOperations):
    """Arrays are `cupy.ndarray`, on one CUDA device.

    Parameters
    ----------
    dtype : "float32" | "float64"
        The dtype of values, gradients and losses.
    device : "cuda" | "cuda:0" | "cuda:1" | ...
        "cuda" is "cuda:0". Raises BackendUnavailable, with the cause and what to type, where the device
        cannot be used; that is checked once per process and device.
    replay : "captured" | "fused" | "eager"
        How a compiled program runs: as CUDA graphs of many steps, as single launches of fused kernels, or
        call by call as it was recorded. A step that cannot be captured runs as "fused", with a warning.

    Attributes
    ----------
    not_captured : str or None
        Why steps were not captured although `replay` is "captured"; None if all were.

    Examples
    --------
    >>> from fuseprop import Network, mlp
    >>> from fuseprop_cupy import CupyBackend
    >>> backend = CupyBackend("float32", "cuda:0", replay="fused")  # doctest: +SKIP
    >>> network = Network(mlp([2, 1]), "half_squared_error", backend=backend)  # doctest: +SKIP
    """

    name = "cupy"
    protocol_version = 2
    chunk_bytes = 64 << 20
    host_memory = False

    def __init__(
        self,
        dtype: str = "float32",
        device: str = "cuda:0",
        replay: Literal["captured", "fused", "eager"] = "captured",
    ) -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}.')
        if replay not in ("captured", "fused", "eager"):
            raise ValueError(f'replay must be "captured", "fused" or "eager", got {replay!r}.')
        super().__init__(_ordinal(device), np.dtype(dtype))
        if dtype == "float32":
            warn_of_tf32()
        self.replay = replay
        self.not_captured: str | None = None

    def compile(self, program: Program) -> Runner:
        if self.replay == "eager":
            return replay_by_calling(self, program)
        self._device.enter()
        captures = self.replay == "captured"
        return PlanReplay(self._device, plan(self, program), captures=captures, report=self._report).run

    @property
    def arithmetic(self) -> dict[str, str]:
        """See `OPTIONAL`."""
        return self._device.described()

    def allocated(self) -> int:
        """See `OPTIONAL`."""
        return self._device.allocated()

    def provenance(self) -> dict[str, str]:
        """See `OPTIONAL`: how steps are replayed, the device, and a hash of each file of kernels."""
        hashes = {f"kernels/{file}": digest for file, digest in source_hashes().items()}
        return {"replay": self.replay, **self._device.provenance(), **hashes}

    def _report(self, why: str) -> None:
        """Store why a step was not captured, and warn the first time."""
        first, self.not_captured = self.not_captured is None, why
        if first:
            warnings.warn(
                f"training steps on {self.device} are launched one kernel at a time instead of as a CUDA "
                f"graph, which is slower for small networks: {why}. Type: fuseprop doctor",
                RuntimeWarning,
                stacklevel=2,
            )

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
    _: type[BackendForProcesses[Array]] = CupyBackend
