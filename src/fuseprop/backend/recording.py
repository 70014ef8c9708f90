"""Recording: the calls that a step makes, written down once, so that a backend may replay them cheaply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn, cast

from . import AnyBackend, Array, Call, Program
from .program import OPERATIONS


class Recorder:
    """A stand-in for a backend that executes nothing and writes down what it is asked to do.

    It has the operations that declare what they read and write. What allocates, talks to the host or waits
    declares nothing: it is done before a step, or after it, never in it.
    """

    def __init__(self, backend: AnyBackend) -> None:
        self.name = backend.name
        self.device = backend.device
        self.dtype = backend.dtype
        self.calls: list[Call] = []
        for operation in filter(partial(hasattr, backend), OPERATIONS):  # it need not have all
            # Not with the recorder: a cycle of references would keep the rows of a training in memory.
            setattr(self, operation, partial(_write_down, self.calls, operation))

    def __getattr__(self, operation: str) -> NoReturn:
        raise AttributeError(
            f"{operation} cannot be recorded: a step neither allocates nor talks to the host. "
            f"Do it before, and hand the step the array."
        )


def _write_down(calls: list[Call], operation: str, /, *operands: Any, **options: Any) -> None:
    calls.append(Call(operation, operands, options))


def record(backend: AnyBackend, step: Callable[[AnyBackend], None], scratch: Sequence[Array] = ()) -> Program:
    """Return the calls that ``step(backend)`` would make; nothing is executed. `scratch`: see `Program`."""
    recorder = Recorder(backend)
    step(cast(AnyBackend, recorder))
    return Program(tuple(recorder.calls), tuple(scratch))
