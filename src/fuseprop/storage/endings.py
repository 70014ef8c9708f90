"""What ends a process, or a call for want of memory, and must not pass as bad data on its way."""

from __future__ import annotations


def let_through(error: BaseException) -> None:
    """Raise KeyboardInterrupt, SystemExit or MemoryError where `error` was made from one.

    C code that calls Python back, as NumPy's reader calls its converters, turns whatever is raised there into
    an error of its own, such as "could not convert string", and keeps what it was as the cause.
    """
    cause = error.__cause__
    while cause is not None:
        if isinstance(cause, MemoryError) or not isinstance(cause, Exception):
            raise cause
        cause = cause.__cause__
