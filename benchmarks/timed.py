"""A command that has so many seconds: what it says goes to files at once, all that it started ends with it.

What a command starts need not stay in its process group, nor its child. Each therefore carries a mark of its
own in its environment, which everything inherits that it starts; on Linux what carries it is found and ended.
Elsewhere that is the process group alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from .interruptions import held

GRACE = 3.0
"""Seconds from the request to end until the end is forced."""

PATIENCE = 2.0
"""Seconds until what cannot even be killed, such as a process in a driver's call, is left behind."""

NOT_STARTED = 127
"""The exit status of a command that is not there, as shells have it."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    status : int or None
        Its exit status, the negative number of the signal that ended it, or None: its time was over.
    seconds : float
        How long it ran.
    left : tuple of int
        Processes of it that could not be ended.
    """

    status: int | None
    seconds: float
    left: tuple[int, ...] = ()

    @property
    def overran(self) -> bool:
        """Whether its time was over before it was done."""
        return self.status is None


def run(
    command: Sequence[str | Path],
    seconds: float,
    log: Path,
    *,
    out: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    grace: float = GRACE,
) -> Ended:
    """Run a command for so many seconds at most; return how it ended, and nothing of it goes on.

    `log` takes what it says as it says it, or only its standard error where `out` takes its standard output;
    both are appended to. A signal that ends the caller, or several, ends the command first.
    """
    mark = f"FUSEPROP_TIMED_{uuid4().hex}"
    environment = {**(os.environ if env is None else env), mark: "1"}
    start = time.monotonic()
    with log.open("ab") as errors, (out or log).open("ab") as output, held() as signals:
        try:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=environment,
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            errors.write(f"{command[0]} could not be started: {error}\n".encode())
            return Ended(NOT_STARTED, time.monotonic() - start)
        try:
            while (status := process.poll()) is None and not signals:
                if (still := start + seconds - time.monotonic()) <= 0:
                    break
                time.sleep(min(0.02, still))
        finally:
            taken = time.monotonic() - start
            left = _end(process, mark, grace)
    return Ended(status, taken, left)


def _end(process: subprocess.Popen[bytes], mark: str, grace: float) -> tuple[int, ...]:
    """Ask everything that is left to end, force it, and return what remains."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, PATIENCE)):
        end = time.monotonic() + patience
        asked: set[int] = set()
        while living := _living(process, mark):
            for pid in living - asked if number == signal.SIGTERM else living:
                _send(pid, number, group=pid == process.pid)
            asked |= living
            if time.monotonic() > end:
                break
            time.sleep(0.02)
        else:
            return ()
    return tuple(sorted(living))


def _living(process: subprocess.Popen[bytes], mark: str) -> set[int]:
    """Return the processes that carry the mark, and the command itself."""
    return ({process.pid} if process.poll() is None else set()) | marked(mark)


def _send(pid: int, number: signal.Signals, *, group: bool) -> None:
    with suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, number)


def marked(name: str) -> set[int]:
    """Return the processes of this user whose environment has a variable of this name; none without /proc."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if any(line.startswith(f"{name}=".encode()) for line in entry.read_bytes().split(b"\0")):
                found.add(int(entry.parent.name))
    return found
