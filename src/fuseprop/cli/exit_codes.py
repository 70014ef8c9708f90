"""The exit codes of the command, beside 0 for success and click's 2 for wrong use."""

from __future__ import annotations

from ..backend import BackendUnavailable
from ..model.settings import SettingsError
from ..training.divergence import DivergenceError

FAILED = 1
WRONG_USE = 2
UNAVAILABLE = 3
DIVERGED = 4
SIGNALLED = 128
"""Plus the number of the signal that ended the command: 129 SIGHUP, 130 Ctrl-C, 143 SIGTERM."""

OF_ERRORS: tuple[tuple[type[Exception], int], ...] = (
    (SettingsError, WRONG_USE),
    (BackendUnavailable, UNAVAILABLE),
    (DivergenceError, DIVERGED),
    (ValueError, FAILED),
    (OSError, FAILED),
    (ImportError, FAILED),  # an extra that is not installed; it says what to type
    (MemoryError, FAILED),
)
"""The errors that the command prints in a line; the first kind that fits counts."""


def code_of(error: BaseException) -> int | None:
    """Return the exit code of an error that the command prints in a line; None for a fault of its own."""
    return next((code for kind, code in OF_ERRORS if isinstance(error, kind)), None)
