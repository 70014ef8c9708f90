"""What a backend raises where it cannot do what it is asked for."""

from __future__ import annotations

from collections.abc import Callable


class BackendUnavailable(RuntimeError):
    """A backend or device was asked for and cannot be had; the text says why and what to do."""


class OutOfMemory(MemoryError):
    """A device has no room for an array; everything that is there stands as it was.

    Attributes
    ----------
    asked : int
        Bytes of that array.
    room : callable
        Gives what nobody uses any more back to the device, and returns the bytes that are free then.
    """

    def __init__(self, message: str, asked: int, room: Callable[[], int]) -> None:
        super().__init__(message)
        self.asked = asked
        self.room = room
