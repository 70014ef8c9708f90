"""An error of one process is an error of all: none waits for what another one will never do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..checks.quoting import shown
from ..checks.states import described, is_same
from .processes import Processes, Value


class Elsewhere(RuntimeError):
    """Another process has raised an error, which it shows itself.

    Attributes
    ----------
    rank : int
        That process.
    """

    def __init__(self, rank: int, size: int, what: str) -> None:
        super().__init__(f"process {rank} of {size} has failed: {what}")
        self.rank = rank

    def __reduce__(self) -> tuple[Any, ...]:
        # Without `__init__`, whose arguments `args` does not hold.
        return type(self).__new__, (type(self), *self.args), vars(self)


@contextmanager
def agreeing(processes: Processes) -> Iterator[None]:
    """Let all processes leave a block by an error where one does: its own there, `Elsewhere` in the others.

    All come to the block's end or to an error in it; it may ask for something collective only where all
    processes ask alike, and fail alike.
    """
    if processes.size == 1:
        yield
        return
    own: BaseException | None = None
    try:
        yield
    except Exception as error:
        own = error
    found = processes.gathered(None if own is None else f"{type(own).__name__}: {own}")
    if own is not None:
        if None in found and processes.rank == 0:  # which is not named, as it tells of all
            own.add_note(f"That was process 0 of {processes.size} alone.")
        raise own
    for rank, what in enumerate(found):
        if what is not None:
            raise Elsewhere(rank, processes.size, what)


def first_unlike(processes: Processes, value: Value) -> tuple[int, Value, Value] | None:
    """Return the first process with another value than process 0, and both values; None without one."""
    found = processes.gathered(value)
    return next(((rank, other, found[0]) for rank, other in enumerate(found) if other != found[0]), None)


def check_alike(processes: Processes, what: Mapping[str, Any]) -> None:
    """Raise ValueError in all processes where plain data, by name, are not the same in all of them."""
    found = processes.gathered(dict(what))
    for rank, other in enumerate(found):
        for name, value in found[0].items():
            if not is_same(other.get(name), value):
                raise ValueError(
                    f"all processes are to train alike, and {shown(name)} is {described(other.get(name))} in "
                    f"process {rank}, and {described(value)} in process 0. Give the same to all."
                )
