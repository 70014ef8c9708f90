"""Exceptions that must not pass as bad data: those that end a process, and MemoryError."""

from __future__ import annotations


def raise_fatal_cause(error: BaseException) -> None:
    """Raise the KeyboardInterrupt, SystemExit or MemoryError that is among the causes of `error`, if any.

    NumPy's text reader calls converters in Python, and turns any exception from there into an error of its
    own, such as "could not convert string", with the original as the cause.
    """
    cause = error.__cause__
    while cause is not None:
        if isinstance(cause, MemoryError) or not isinstance(cause, Exception):
            raise cause
        cause = cause.__cause__
