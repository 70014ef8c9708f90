"""Recording: the calls that a step makes, written down once, so that a backend may replay them cheaply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from . import AnyBackend, Array, Backend, Call, Program

UNRECORDED = {"empty", "zeros", "from_host", "share", "to_host", "synchronize", "compile", "session"}
"""Operations that allocate, transfer or wait: they come before a step or after it, never in it."""

RECORDED = {name for name, value in vars(Backend).items() if callable(value) and name[0] != "_"} - UNRECORDED
"""The operations that a step may call, and that a recorder writes down."""


class Recorder:
    """A stand-in for a backend that executes nothing and writes down what it is asked to do."""

    def __init__(self, backend: AnyBackend) -> None:
        self.name = backend.name
        self.device = backend.device
        self.dtype = backend.dtype
        self.calls: list[Call] = []

    def __getattr__(self, operation: str) -> Callable[..., None]:
        if operation not in RECORDED:
            raise AttributeError(
                f"{operation} cannot be recorded: a step neither allocates nor talks to the host. "
                f"Do it before, and hand the step the array."
            )

        def write_down(*operands: Any, **options: Any) -> None:
            self.calls.append(Call(operation, operands, options))

        return write_down


def record(backend: AnyBackend, step: Callable[[AnyBackend], None], scratch: Sequence[Array] = ()) -> Program:
    """Return the calls that ``step(backend)`` would make; nothing is executed. `scratch`: see `Program`."""
    recorder = Recorder(backend)
    step(cast(AnyBackend, recorder))
    return Program(tuple(recorder.calls), tuple(scratch))
