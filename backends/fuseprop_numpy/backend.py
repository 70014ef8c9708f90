"""`fuseprop.backend.Backend` on NumPy: in place, `out` everywhere, nothing allocated in a step.

Called one by one, operations are those of `operations`. A training step is replayed by a library, `compiled`;
any other program, or where there is no library, as the calls of its operations, `replay`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakValueDictionary

import numpy as np

from fuseprop.backend import (
    OPERATIONS,
    BackendForProcesses,
    BackendUnavailable,
    HostArray,
    Program,
    Runner,
    replay_by_calling,
)

from .compiled.formulas import CannotCompute
from .compiled.forward import recognise_forward
from .compiled.library import NotCompiled, library
from .compiled.recognise import recognise
from .compiled.runner import CompiledForward, CompiledStep, StoppableStep, kernels_of
from .compiled.specification import Specification
from .compiled.step import UnknownStepError
from .operations import NumpyOperations
from .replay import replay_calls
from .threads.blas_limit import ENOUGH, ONE_THREAD, blas_in_use, multiplications
from .threads.denormals import flushing
from .threads.sharing import shared


class NumpyBackend(NumpyOperations):
    """Arrays are `numpy.ndarray`, on the CPU.

    Parameters
    ----------
    dtype : "float32" | "float64"
        The dtype of values, gradients and losses.
    device : "cpu"
        The only device; another one raises BackendUnavailable.
    replay : "compiled" | "calls" | "eager", optional
        How a compiled program runs: a training step as a whole, by a library of machine code; as calls of
        NumPy, bound once; or call by call as it was recorded. A program that is no such step runs as "calls".
        By default "compiled" where there is a library, else "calls"; where there is none, "compiled" raises
        BackendUnavailable with the reason.

    Attributes
    ----------
    replay : str
        What was chosen.
    replays : tuple of str
        What there is to choose from.
    not_compiled : str or None
        Why a program was not compiled although `replay` is "compiled"; None if all were.

    Examples
    --------
    >>> from fuseprop import Network, mlp
    >>> from fuseprop_numpy import NumpyBackend
    >>> network = Network(mlp([2, 1]), "half_squared_error", backend=NumpyBackend("float64", replay="calls"))
    """

    name = "numpy"
    protocol_version = 2
    device = "cpu"
    replays = ("compiled", "calls", "eager")

    def __init__(
        self,
        dtype: str = "float32",
        device: str = "cpu",
        replay: Literal["compiled", "calls", "eager"] | None = None,
    ) -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}.')
        if device != "cpu":
            raise BackendUnavailable(f'The numpy backend computes on "cpu" only, {device!r} was asked for.')
        if replay is not None and replay not in self.replays:
            raise ValueError(f'replay must be "compiled", "calls" or "eager", got {replay!r}.')
        super().__init__(np.dtype(dtype))
        own = self._own_operations()
        if own and replay == "compiled":
            raise ValueError(
                f'replay="compiled" takes steps as a whole and would never call the {", ".join(own)} of '
                f'{type(self).__name__}. Leave replay out, or give "eager".'
            )
        wanted = replay in ("compiled", None) and not own
        self._library = _functions(required=replay == "compiled") if wanted else None
        self.replay = replay or ("calls" if self._library is None else "compiled")
        if not hasattr(type(self), "by_rows"):  # a subclass may have its own
            self.by_rows = None if self._library is None else self._by_rows
        self.not_compiled: str | None = None
        # Their products have threads of their own, whatever BLAS has.
        self._compiled: WeakValueDictionary[int, Program] = WeakValueDictionary()

    def compile(self, program: Program) -> Runner:
        if self.replay == "eager" or self._is_patched():
            return replay_by_calling(self, program)
        if self._library is not None:
            try:
                step = recognise(program, self.dtype)
                kind = StoppableStep if step.world is None else CompiledStep
                run = kind(self._library, step, self.dtype)
            except (UnknownStepError, CannotCompute) as error:
                self.not_compiled = str(error)
            else:
                self._compiled[id(program)] = program
                return run
        return flushing(replay_calls(self, program))

    @property
    def arithmetic(self) -> dict[str, str | int]:
        """See `OPTIONAL`: compiled steps leave equal bits with any number of threads, on any processor."""
        if self.replay == "compiled" and self.not_compiled is None:
            return {"steps": "compiled"}
        return {"steps": "calls of NumPy", "NumPy": np.__version__, **blas_in_use()}

    def provenance(self) -> dict[str, str | int]:
        """See `OPTIONAL`: how steps are replayed, and of which engine's sources the library was built."""
        found: dict[str, str | int] = {"replay": self.replay, "NumPy": np.__version__, **blas_in_use()}
        if self._library is not None:
            loaded = library()
            found |= {
                "engine": loaded.build,
                "engine sources": loaded.functions.fuseprop_source_hash().decode(),
                "engine threads": loaded.functions.fuseprop_get_num_threads(),
            }
        return found

    def _own_operations(self) -> list[str]:
        """Return the operations that a subclass computes in its own way."""
        return [name for name in OWN if getattr(type(self), name) is not OWN[name]]

    def _is_patched(self) -> bool:
        """Whether an operation of this object alone stands in place of its class's."""
        return not vars(self).keys().isdisjoint(OWN)

    def _by_rows(self, program: Program, arrays: Sequence[HostArray]) -> Callable[..., None] | None:
        """Return what does a forward pass for any number of rows; None for what is none: see `OPTIONAL`."""
        if self._is_patched():
            return None
        try:
            return CompiledForward(self._library, recognise_forward(program, arrays, self.dtype), self.dtype)
        except (UnknownStepError, CannotCompute) as error:
            self.not_compiled = str(error)
            return None

    @contextmanager
    def session(self, programs: Sequence[Program]) -> Iterator[None]:
        by_calls = [program for program in programs if self._compiled.get(id(program)) is not program]
        small = bool(by_calls) and max(map(multiplications, by_calls)) < ENOUGH
        with shared(programs), ONE_THREAD.hold() if small else nullcontext():
            yield

    def why_not_compiled(self, program: Program) -> str | None:
        """Return why a program does not run as a compiled step; None where it does."""
        if self.replay != "compiled":
            return f"steps run as {self.replay}"
        try:
            Specification(recognise(program, self.dtype), self.dtype, kernels_of(self._library))
        except (UnknownStepError, CannotCompute) as error:
            return str(error)
        return None


OWN = {name: getattr(NumpyBackend, name) for name in OPERATIONS}
"""The operations of the protocol, as they are here."""


def _functions(*, required: bool) -> Any:
    """Return the functions of the library; None, or BackendUnavailable, where there is none."""
    try:
        return library().functions
    except NotCompiled as why:
        if required:
            raise BackendUnavailable(
                f'replay="compiled" needs the library of compiled steps, and there is none: {why}. '
                f"Type: fuseprop doctor"
            ) from None
        return None


if TYPE_CHECKING:
    _: type[BackendForProcesses[HostArray]] = NumpyBackend
