"""Signals that end this process, held back until what must not be left half done is done.

A second Ctrl-C, while something is cleared away, would otherwise leave the rest of it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def held() -> Iterator[list[int]]:
    """Yield the list of those that have come; at the end the first goes to whoever took it before.

    Those that are ignored stay ignored. Only the main thread receives signals: any other holds back none.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    taken = {number: signal.getsignal(number) for number in ENDINGS}
    before = {number: by for number, by in taken.items() if by not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, lambda number, _: came.append(number))
        yield came
    finally:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, before)  # none comes while only some are given back
        for number, by in before.items():
            signal.signal(number, by)
        if came:
            signal.raise_signal(came[0])
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def as_interruptions() -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt this process as Ctrl-C does, where nobody ignores them."""
    taken = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    before = {number: by for number, by in taken.items() if by not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number, by in before.items():
            signal.signal(number, by)
