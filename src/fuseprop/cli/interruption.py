"""Ctrl-C, SIGTERM and SIGHUP: what ends at once, and what is brought to an end first.

A signal raises KeyboardInterrupt, but while a model is trained and written it is only remembered: training
ends between two steps (`StopOnSignal`), and the file is finished. A second Ctrl-C raises SystemExit instead,
wherever it falls, which nothing takes for an interruption to go on from.

All are remembered, so that they end the command even if their exception is lost. It is lost if it is raised
in a Python function that C code calls, which may replace it by an error of its own, or in a destructor or a
ctypes callback, where Python prints it and goes on.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from ..callbacks.history import History
from .exit_codes import SIGNALLED

ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP


class Interruption:
    """A context that remembers which signal was received, beside raising KeyboardInterrupt as usual.

    A process that ignores a signal, such as Ctrl-C in a job in the background or SIGHUP under nohup, goes on
    ignoring it.

    Attributes
    ----------
    received, announced : bool
        Whether a signal was received, and whether the user has been told that it took effect.
    terminated : bool
        Whether SIGTERM or SIGHUP was received: the command is to end without computing anything more.
    again : bool
        Whether Ctrl-C was received after another signal.
    """

    def __init__(self) -> None:
        self.received = self.announced = self.terminated = self.again = False
        self._is_deferred = False
        self._number = int(signal.SIGINT)
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._receive)
            self._report, sys.unraisablehook = sys.unraisablehook, self._unraisable
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if threading.current_thread() is threading.main_thread():
            sys.unraisablehook = self._report
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """128 + the number of the signal: SIGTERM or SIGHUP where one was received, else that of Ctrl-C."""
        return SIGNALLED + self._number

    @property
    def name(self) -> str:
        """What has become of the command or a training: "terminated" or "interrupted"."""
        return "terminated" if self.terminated else "interrupted"

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal was received earlier, in case that its exception was lost."""
        if self.received:
            raise KeyboardInterrupt

    def check_terminated(self) -> None:
        """Raise KeyboardInterrupt if the command is to compute nothing more."""
        if self.terminated:
            raise KeyboardInterrupt

    def terminate(self) -> None:
        """Take it that SIGTERM was received, as another process of several has received it."""
        if not self.terminated:
            self.received, self.terminated, self._number = True, True, int(signal.SIGTERM)

    def defer(self) -> None:
        """From now on only remember signals, until a block of `deferred` ends."""
        self._is_deferred = True

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let a block, such as writing a file, end before a signal takes effect; a second Ctrl-C ends it.

        What has been received then raises nothing: see `check` and `check_terminated`.
        """
        self.defer()
        try:
            yield
        finally:
            self._is_deferred = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        received, self.received = self.received, True
        if number == signal.SIGINT:
            if received:
                self.again = True
                raise SystemExit(self.exit_code)
        elif self.terminated:
            return  # supervisors repeat SIGTERM, and a terminal that closes sends SIGHUP more than once
        else:
            self.terminated, self._number = True, number
        if not self._is_deferred:
            raise KeyboardInterrupt

    def _unraisable(self, lost: Any) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt | SystemExit):
            self._report(lost)


class StopOnSignal:
    """The callback by which a signal ends training between two steps, as "interrupted" or "terminated".

    From the start of training signals are deferred, beyond its end, so that none can keep its model from
    being written; a block of `Interruption.deferred` is to follow.
    """

    def __init__(self, interruption: Interruption) -> None:
        self._interruption = interruption

    def start(self, epochs: int, history: History) -> None:
        """Defer signals."""
        self._interruption.defer()

    def asks_to_stop(self) -> str | None:
        """Return what a signal makes of the training; None where none was received."""
        return self._interruption.name if self._interruption.received else None

    def epoch_end(self, history: History) -> None:
        """Do nothing."""

    def end(self, history: History) -> None:
        """Do nothing: the model is not written yet."""
