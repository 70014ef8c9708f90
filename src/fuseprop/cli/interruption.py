"""Ctrl-C, remembered: a command ends by it wherever it falls.

KeyboardInterrupt alone is not enough: C code that calls Python back takes it for an error of its own, and
what is raised in a destructor or a callback of ctypes is printed and lost.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self


class Interruption:
    """Whether Ctrl-C was received while this is entered; it raises KeyboardInterrupt too, as always.

    A process that was told to ignore Ctrl-C, such as a job in the background, goes on ignoring it.

    Attributes
    ----------
    received, told : bool
        Whether there was one, and whether the user has been told so.
    """

    def __init__(self) -> None:
        self.received = self.told = self._is_held = False
        self._before: Any = None

    def __enter__(self) -> Self:
        ignored = signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None)
        if threading.current_thread() is threading.main_thread() and not ignored:
            self._before = signal.signal(signal.SIGINT, self._receive)
            self._report, sys.unraisablehook = sys.unraisablehook, self._unraisable
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            sys.unraisablehook = self._report
            signal.signal(signal.SIGINT, self._before)

    def check(self) -> None:
        """Raise KeyboardInterrupt where one was received, and somebody kept it to himself."""
        if self.received:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let what is short, and better whole, be done first; a second Ctrl-C ends it too."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        if self._is_held:
            self._is_held = False
            return
        raise KeyboardInterrupt

    def _unraisable(self, lost: Any) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            self._report(lost)
