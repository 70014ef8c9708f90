"""How a job of several processes ends: none waits for one that has failed, and each error is shown once.

A process that fails says so in memory that all others can read without its help, and looks at theirs for
a short time. Where all have failed, they did so in lockstep: the error goes on as in one process, and the
first that has it shows it. Where another goes on, it would wait for ever: the process shows its error and
ends the job.
"""

from __future__ import annotations

import atexit
import os
import sys
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import wraps
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from .agreement import Elsewhere
from .processes import Processes

if TYPE_CHECKING:
    from .lookout import Lookout

Given = ParamSpec("Given")
Returned = TypeVar("Returned")

GRACE = 2.0
"""Seconds in which all processes come to an error that they raise in lockstep."""

TO_BE_READ = 0.2
"""Seconds between the last words of a process and its end: MPICH's mpiexec drops what it has not read."""

INTERRUPTED = 130
"""The exit code after Ctrl-C, which scripts and the command share."""

CALLS, ENDS, WHAT, CODE = 0, 1, 2, 4
"""What a process tells of itself: how many collective calls it has begun, how often it has failed, the error
and the exit code of its last failure, and, at odd places, of that before: the others may still read those."""

NUMBERS = 6
FINISHED = 1 << 62
"""Beyond all failures: a process has come to its end."""


class Shown(NamedTuple):
    """What is shown of an error that ends the job in one process, and the exit code."""

    text: str
    code: int


class Verdict(NamedTuple):
    """Whether all processes have failed alike, and whether this one shows the error."""

    in_lockstep: bool
    shows: bool
    code: int


@contextmanager
def ending_together(processes: Processes) -> Iterator[None]:
    """Let an error that leaves a block in all processes go on, and end the job where it does so in one alone.

    In lockstep, all leave the block by their errors within `GRACE`; `verdict_of` tells afterwards who shows
    it. Else this process shows its error, "process 2 of 4 (host): ...", and ends all
    with its exit code. A block in a block is allowed.
    """
    ends = Ends.of_this_process if processes.size > 1 else None
    try:
        yield
    except BaseException as error:
        if ends is not None:
            ends.settle(error)
        raise


def ending_all(function: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """Return a function of which a call with a `world`, by name, ends as `ending_together` says."""

    @wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
        world = cast("Processes | None", kwargs.get("world"))
        with nullcontext() if world is None else ending_together(world):
            return function(*args, **kwargs)

    return call


def verdict_of(error: BaseException) -> Verdict | None:
    """Return what `ending_together` found of an error that all have raised; None of any other."""
    ends = Ends.of_this_process
    return None if ends is None or ends.settled is not error else ends.verdict


def as_script(error: BaseException) -> Shown:
    """Return what a script shows of an error: the traceback."""
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        said = "" if isinstance(error.code, int | None) else f": {error.code}"
        return Shown(f"it has left by sys.exit({code}){said}, while others go on.", code or 1)
    if isinstance(error, KeyboardInterrupt):
        return Shown("interrupted.", INTERRUPTED)
    last = "".join(traceback.format_exception_only(error)).strip()
    return Shown(f"{last}\n{''.join(traceback.format_exception(error))}".rstrip(), 1)


class Ends:
    """How the processes of this job end, as this one sees it; the first `World` of a process makes it.

    Parameters
    ----------
    mpi : module
        mpi4py's MPI.
    everyone : mpi4py.MPI.Comm
        All processes.

    Attributes
    ----------
    told : NDArray of int64
        What this process tells the others: CALLS, ENDS, WHAT, CODE.
    lookout : Lookout or None
        What tells of deaths on this machine.
    shown : callable
        Returns what is shown of an error that ends the job: `as_script`, unless the command has its own form.
    settled, verdict
        The last error that all have raised, and what was found of it.
    """

    of_this_process: Ends | None = None

    def __init__(self, mpi: Any, everyone: Any) -> None:
        import socket  # as below: `import fuseprop` takes no time for what one process alone does not need

        self._mpi, self._all = mpi, everyone.Dup()
        self.rank: int = self._all.Get_rank()
        self.size: int = self._all.Get_size()
        self.host = socket.gethostname()
        self._pid = os.getpid()
        self.shown: Callable[[BaseException], Shown] = as_script
        self.settled: BaseException | None = None
        self.verdict = Verdict(in_lockstep=True, shows=True, code=1)
        self._window = mpi.Win.Allocate(8 * NUMBERS, 8, comm=self._all)
        self.told: NDArray[np.int64] = np.frombuffer(self._window.tomemory(), np.int64)
        self.told[:] = 0
        self._window.Lock_all(mpi.MODE_NOCHECK)
        self._window.Sync()
        self.lookout: Lookout | None = None
        self._before, sys.excepthook = sys.excepthook, self._uncaught
        self._join_lookout()  # gathers: nobody reads what is not yet 0
        atexit.register(self._leave)

    def prefixed(self, text: str) -> str:
        """Return a text as that of this process."""
        return f"process {self.rank} of {self.size} ({self.host}): {text}"

    def settle(self, error: BaseException) -> None:
        """Find out whether all processes have failed; show the error and end the job where one goes on."""
        if os.getpid() != self._pid or self.settled is error:
            return
        shown = self.shown(error)
        try:
            found = self._compared(error, shown)
        except (KeyboardInterrupt, SystemExit):  # a second Ctrl-C: nobody is to wait any longer
            self.end(INTERRUPTED)
        if not found.in_lockstep:
            self.end(found.code)
        self.settled, self.verdict = error, found

    def show(self, text: str) -> None:
        """Write a text to standard error as a whole, past what buffers and hides."""
        with suppress(OSError):
            os.write(2, f"\n{text}\n".encode(errors="replace"))

    def end(self, code: int) -> NoReturn:
        """End all processes with an exit code, when the launcher has had time to read what was shown."""
        sleep(TO_BE_READ)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        if self.lookout is not None:
            self.lookout.is_ending()
        with suppress(OSError):  # MPI adds lines of its own
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        self._mpi.COMM_WORLD.Abort(code)
        os._exit(code)

    def _join_lookout(self) -> None:
        here = self._all.Split_type(self._mpi.COMM_TYPE_SHARED)
        try:
            # Processes in other containers have numbers of their own.
            system = str(Path("/proc/self/ns/pid").readlink())
        except OSError:
            system = ""
        name = here.bcast(f"fuseprop-{os.getpid()}-{os.urandom(8).hex()}-")
        found = here.allgather((self.rank, os.getpid(), system))
        pids = {rank: pid for rank, pid, other in found if other == system}
        here.Free()
        first, lookout, is_there = min(pids), None, False
        if system and hasattr(os, "pidfd_open"):
            from .lookout import Lookout

            lookout = Lookout(f"{name}{first}")
            is_there = self.rank == first and lookout.start(pids, self.size, self.host)
        if self._all.allgather(is_there)[first] and lookout is not None:
            self.lookout = lookout  # before it waits for its word, which Ctrl-C may cut short
            lookout.join()

    def _compared(self, error: BaseException, shown: Shown) -> Verdict:
        """Tell the others of an error; wait for theirs, and show it as soon as it is this one's own."""
        place = int(self.told[ENDS]) % 2
        is_own = not isinstance(error, Elsewhere)
        what = zlib.crc32(f"{type(error).__name__}: {shown.text.partition(chr(10))[0]}".encode()) + 1
        self.told[[WHAT + place, CODE + place]] = what if is_own else 0, shown.code
        self.told[ENDS] += 1
        number = int(self.told[ENDS])
        is_shown, until = False, monotonic() + GRACE
        for seen in self._looks(until + GRACE):
            failed = seen[:, ENDS] >= number
            whats = np.where(failed, seen[:, WHAT + place], 0)
            is_first = is_own and int(np.argmax(whats == what)) == self.rank
            if failed.all():
                owners = np.flatnonzero(whats)
                code = shown.code if is_own or not len(owners) else int(seen[owners[0], CODE + place])
                shows = is_first and not is_shown
                return Verdict(in_lockstep=True, shows=shows, code=code)
            is_over = monotonic() > until
            # Another process may have an error of its own, and end the job now.
            if is_first and not is_shown and (is_over or np.any((whats != 0) & (whats != what))):
                self._show_own(error, shown)
                is_shown = True
            if is_over and is_shown:  # else another is to show this error, and to end the job
                break
        return Verdict(in_lockstep=False, shows=False, code=shown.code)

    def _show_own(self, error: BaseException, shown: Shown) -> None:
        is_signal = isinstance(error, KeyboardInterrupt)  # which comes to all
        self.show(shown.text if is_signal else self.prefixed(shown.text))

    def _looks(self, until: float) -> Iterator[NDArray[np.int64]]:
        """Yield what all processes tell, again and again, and a last time when the time is over."""
        pause = 0.001
        seen = np.zeros((self.size, NUMBERS), np.int64)
        coming = np.zeros_like(seen)
        is_over = False
        while not is_over:
            self._window.Sync()
            asked = [self._window.Rget(coming[rank], rank) for rank in range(self.size)]
            while not self._mpi.Request.Testall(asked) and not (is_over := monotonic() > until):
                sleep(pause)
            is_over = is_over or monotonic() > until
            seen[:] = coming
            yield seen
            sleep(pause)
            pause = min(2 * pause, 0.05)

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Settle and show an error that nothing in a script has caught, as `sys.excepthook`."""
        if os.getpid() != self._pid:
            self._before(kind, error, trace)
            return
        self.settle(error)
        if self.verdict.shows and self.rank == 0:
            self._before(kind, error, trace)
        elif self.verdict.shows:
            self.show(self.prefixed(as_script(error).text))

    def _leave(self) -> None:
        """Wait for all others to come to their end too; end the job where one waits for this one."""
        if os.getpid() != self._pid or self._mpi.Is_finalized():
            return
        try:
            self.told[ENDS] = FINISHED
            for seen in self._looks(float("inf")):
                if np.all(seen[:, ENDS] == FINISHED):
                    break
                waiting = np.flatnonzero(seen[:, CALLS] > self.told[CALLS])
                if len(waiting):
                    waits = f"process {waiting[0]} waits for it: all make the same calls"
                    self.show(self.prefixed(f"it has ended, and {waits}."))
                    self.end(1)
        except (KeyboardInterrupt, SystemExit):
            self.end(INTERRUPTED)
        if self.lookout is not None:
            self.lookout.is_ending()
        self._window.Unlock_all()
        self._window.Free()
