"""An open checkpoint: when the next one is due, written by a thread of its own, and what became of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EEXIST
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

from ..checks.quoting import shown
from ..checks.warning import warn_user
from ..storage.atomic import check_place, is_same_place
from ..storage.lock import LockedError, lock
from .checkpoint import Checkpoint
from .reading import CheckpointError, CheckpointWarning, described, previous_of, read_checkpoint
from .writing import write_checkpoint

NAMED: dict[type[Exception], str] = {MemoryError: "there is not enough memory"}
"""What errors without a text mean."""


class Keeper:
    """Keeps the checkpoints of one training, or of several that go on one after the other.

    A checkpoint that cannot be written ends no training: it is warned of at once, once for each reason,
    another is tried when it is due, and where the last one failed, closing says so. In a forked child nothing
    is ever due, and nothing is written.

    Parameters
    ----------
    checkpoint : Checkpoint
    place : str
        What users name where the file is kept, in words: "file" or "folder".

    Attributes
    ----------
    path : Path
    around : dict
        Plain data that go into each file beside what the loop keeps. Arrays in it must not be changed later.
    failure : str
        Why the last checkpoint could not be written, without a point at the end; "" where it was.
    """

    def __init__(self, checkpoint: Checkpoint, place: str = "file") -> None:
        self._place = place
        self.path, self.around, self.failure = Path(checkpoint.path), dict[str, Any](), ""
        self._pace, self._overwrite = checkpoint.pace, checkpoint.overwrite
        self._opened, self._owner = 0, os.getpid()
        self._thread: Thread | None = None
        self._begin(keeps_previous=False)

    @property
    def conclusion(self) -> str:
        """What closing says where the last checkpoint could not be written; "" where it was."""
        there = f"The one there is that {self._there}." if self._there else "None of this run is there."
        return f"{self.failure}. {there}" if self.failure else ""

    @contextmanager
    def open(self, resumed: Path | None = None) -> Iterator[Keeper]:
        """Lock the path, and check that checkpoints may be written there; close at the end.

        Inside another `open` of this object it does nothing. `resumed` is the file that training goes on
        from, `Found.path`. Closing waits until what was kept is written, and warns where the last one could
        not be.

        Raises CheckpointError where another training writes checkpoints there; FileExistsError where there is
        a file that training does not go on from, unless `overwrite` was set; OSError where none can be
        written.
        """
        if self._opened:
            self._opened += 1
            try:
                yield self
            finally:
                self._opened -= 1
            return
        check_place(self.path)
        try:
            with self._locked():
                self._start(resumed)
                self._opened = 1
                try:
                    yield self
                finally:
                    self._opened = 0
                    self.finish_writing()
        finally:
            self._conclude()

    def check_unlocked(self) -> None:
        """Raise CheckpointError where another training writes checkpoints there."""
        with self._locked():
            pass

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with lock(self.path):
                yield
        except LockedError as error:
            raise CheckpointError(
                f"{error} writes checkpoints in {shown(self.path, None)}. Wait until it has ended, or name "
                f"another {self._place}."
            ) from None

    def holds_something(self) -> bool:
        """Whether there is a checkpoint, or the one before."""
        return any(map(_holds_something, self._places))

    def steps_left(self) -> int | None:
        """Return how many steps there are until one is due; None where time or epochs decide."""
        return max(int(self._pace.count) - self._steps, 0) if self._pace.unit == "steps" else None

    def took(self, steps: int) -> None:
        """Count steps that were taken."""
        self._steps += steps

    def is_due(self, epoch_ended: bool = False) -> bool:
        """Whether it is time for a checkpoint; to be asked once where an epoch ends, which is counted."""
        self._report()
        self._epochs += epoch_ended
        if os.getpid() != self._owner:
            return False
        if self._pace.unit == "seconds":
            return monotonic() - self._since >= self._pace.count and not self._is_writing()
        return (self._steps if self._pace.unit == "steps" else self._epochs) >= self._pace.count

    def keep(self, state: dict[str, Any], *, wait: bool = False) -> None:
        """Write a checkpoint of this state, in the background; with `wait`, return when that is done.

        The state and its arrays are the keeper's from now on, and must not be changed. Where the last one is
        still being written, this waits for it first.
        """
        if os.getpid() != self._owner:
            return
        self.finish_writing()
        self._report()
        self._begin_interval()
        whole = {**state, "around": _copied(self.around)}
        self._thread = Thread(target=self._write, args=(whole,), daemon=True, name="checkpoint")
        try:
            self._thread.start()
        except RuntimeError:  # no more threads, or the interpreter is about to end
            self._thread = None
            self._write(whole)
        if wait:
            self.finish_writing()

    def _start(self, resumed: Path | None) -> None:
        goes_on = [resumed is not None and is_same_place(resumed, path) for path in self._places]
        if not (any(goes_on) or self._overwrite):
            for path in filter(_holds_something, self._places):
                raise _refusal(path)
        check_place(self._places[1])
        self._owner = os.getpid()
        # A damaged checkpoint, or one of another run, must not replace the good one before it.
        self._begin(keeps_previous=goes_on[0])
        self._forgets = not any(goes_on)

    @property
    def _places(self) -> tuple[Path, Path]:
        return self.path, previous_of(self.path)

    def _begin(self, *, keeps_previous: bool) -> None:
        self._keeps_previous, self._forgets = keeps_previous, False
        self.failure, self._warned, self._unreported = "", set[str](), ""
        self._there = ""  # what this run has in the file, in words
        self._begin_interval()

    def _begin_interval(self) -> None:
        self._since, self._steps, self._epochs = monotonic(), 0, 0

    def _write(self, state: dict[str, Any]) -> None:
        """Write one checkpoint, in the thread that does."""
        try:
            write_checkpoint(self.path, state, keeps_previous=self._keeps_previous)
        except Exception as error:
            self._fail(f"the checkpoint {described(state)}", error)
            return
        if self._forgets:  # what is left there of another run is not what comes before this one
            with suppress(OSError):
                previous_of(self.path).unlink(missing_ok=True)
        self._keeps_previous, self._forgets = True, False
        self.failure, self._there = "", described(state)

    def fail(self, error: Exception) -> None:
        """Take note that the state of a training could not be had for a checkpoint that is due."""
        self._begin_interval()
        self._fail("a checkpoint", error)
        self._report()

    def _fail(self, what: str, error: Exception) -> None:
        why = (isinstance(error, OSError) and error.strerror) or str(error) or NAMED.get(type(error))
        why = why or type(error).__name__
        self.failure = f"{what} could not be written in {shown(self.path, None)}: {why}".rstrip(".")
        self._unreported = why

    def _is_writing(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def finish_writing(self) -> None:
        """Wait until what was kept last is written: its arrays may be changed then."""
        if self._thread is not None and os.getpid() == self._owner:
            self._thread.join()
        self._thread = None

    def _report(self) -> None:
        """Warn of a checkpoint that could not be written, once for each reason."""
        why, self._unreported = self._unreported, ""
        if why and why not in self._warned:
            self._warned.add(why)
            what = f"{self.failure}. Training goes on, and tries again when the next is due."
            warn_user(what, CheckpointWarning)

    def _conclude(self) -> None:
        """Warn where the last checkpoint could not be written, and say which one is there."""
        if self.failure and os.getpid() == self._owner:
            warn_user(self.conclusion, CheckpointWarning)


def _refusal(path: Path) -> FileExistsError:
    advice = "pass overwrite=True to replace it, or name another file"
    try:
        state = read_checkpoint(path).state
    except CheckpointError as error:
        return FileExistsError(
            EEXIST, f"what is in this file is no checkpoint ({error}); {advice}", str(path)
        )
    what = f"this file holds the checkpoint of another run, {described(state)}; go on from it with resume"
    return FileExistsError(EEXIST, f"{what}, {advice}", str(path))


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _copied(value: Any) -> Any:
    """Return a tree whose dicts and lists are new; its arrays are the same."""
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list | tuple) else value
