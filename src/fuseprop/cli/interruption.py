"""Ctrl-C, remembered, so that it ends the command even if its KeyboardInterrupt is lost.

It is lost if it is raised in a Python function that C code calls, which may replace it by an error of its
own, or in a destructor or a ctypes callback, where Python prints it and goes on.
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
    """A context that remembers whether Ctrl-C was received, beside raising KeyboardInterrupt as usual.

    A process that ignores Ctrl-C, such as a job in the background, goes on ignoring it.

    Attributes
    ----------
    received, announced : bool
        Whether Ctrl-C was received, and whether the user has been told that it took effect.
    """

    def __init__(self) -> None:
        self.received = self.announced = self._is_deferred = False
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
        """Raise KeyboardInterrupt if Ctrl-C was received earlier, in case that its exception was lost."""
        if self.received:
            raise KeyboardInterrupt

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let a short block, such as writing a file, end before Ctrl-C takes effect; a second one ends it."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        if self._is_deferred:
            self._is_deferred = False
            return
        raise KeyboardInterrupt

    def _unraisable(self, lost: Any) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            self._report(lost)
