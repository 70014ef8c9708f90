"""A second Ctrl-C where Python cannot act on it, in a call of C that does not return."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from .exit_codes import SIGNALLED
from .interruption import ENDING

GRACE = 1.0
"""Seconds that the command has to end after a second Ctrl-C."""


class LastResort:
    """A context in which a thread ends the process, where a second Ctrl-C has not ended it within `GRACE`.

    Python's handlers of signals run between two of its instructions, and a call of C may take long. The
    thread learns of each signal when it comes, by `signal.set_wakeup_fd`. Files are written atomically, so
    that an end at any moment leaves none half written.

    Attributes
    ----------
    last_words : callable
        Returns what is printed last; "" for nothing.
    ending : callable
        Is called before the end; returns whether this process is to say anything.
    """

    def __init__(self) -> None:
        self.last_words: Callable[[], str] = str
        self.ending: Callable[[], bool] = lambda: True
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if sys.platform != "win32" and threading.current_thread() is threading.main_thread():
            self._told, self._tells = os.pipe()
            os.set_blocking(self._tells, False)
            self._before = signal.set_wakeup_fd(self._tells, warn_on_full_buffer=False)
            self._thread = threading.Thread(target=self._watch, name="second Ctrl-C", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._is_over.set()
            signal.set_wakeup_fd(self._before)
            os.close(self._tells)
            self._thread.join()
            os.close(self._told)

    def _watch(self) -> None:
        first = 0
        while came := os.read(self._told, 1):
            number = came[0]
            if first and number == signal.SIGINT:
                break
            if number in ENDING:
                first = first or number
        if came and not self._is_over.wait(GRACE):
            try:
                if self.ending():
                    os.write(2, b"\ninterrupted again: nothing more was written.\n")
                    if words := self.last_words():
                        os.write(2, f"{words}\n".encode(errors="replace"))
            finally:
                os._exit(SIGNALLED + first)
