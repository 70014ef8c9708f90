"""What a backend raises where it cannot do what it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class BackendUnavailable(RuntimeError):
    """A backend or device was asked for and cannot be had; the text says why and what to do."""


class OutOfMemory(MemoryError):
    """A device has no room for an array; the arrays that it holds are unchanged.

    Attributes
    ----------
    asked : int
        Bytes of that array.
    room : callable
        ``room()`` releases to the device the memory that no array uses, and returns the bytes free then. That
        of a copy, or of an error that came from another process by pickle, releases nothing and returns 0.
    """

    def __init__(self, message: str, asked: int, room: Callable[[], int]) -> None:
        super().__init__(message)
        self.asked = asked
        self.room = room

    def __reduce__(self) -> tuple[Any, ...]:
        # Without `__init__`, whose arguments `args` does not hold. `int` is a `room` that needs no device.
        return type(self).__new__, (type(self), *self.args), {**vars(self), "room": int}
