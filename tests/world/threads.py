"""Processes as threads of one process: what several processes do together, tested without starting any.

One thread runs at a time, up to its next collective call, so that results do not depend on the machine.
"""

import copy
import threading
import warnings

import numpy as np

from fuseprop.world.processes import part

TIMEOUT = 60.0
"""Seconds after which a thread that waits for others is taken for hung."""


def in_threads(size, function):
    """Return what `function(world)` returns in each of `size` processes, by rank.

    Raises the error of the lowest rank that is no mere echo of another one's end; AssertionError if a process
    makes a collective call that others never make, or another one than they do.
    """
    meeting = _Meeting(size)
    results, errors = [None] * size, [None] * size

    def run(rank):
        meeting.running.acquire()
        try:
            results[rank] = function(ThreadWorld(rank, size, meeting))
        except BaseException as error:
            errors[rank] = error
        finally:
            meeting.leave(rank)
            meeting.running.release()

    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(size)]
    with warnings.catch_warnings():  # what one thread enters, another may leave
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
    assert not any(thread.is_alive() for thread in threads), "a process hangs"
    own = [error for error in errors if error is not None and not isinstance(error, Alone)]
    for error in own or [error for error in errors if error is not None]:
        raise error
    return results


def outcomes(size, function):
    """Return what `function(world)` returns or raises in each of `size` processes, by rank."""

    def caught(world):
        try:
            return function(world)
        except Exception as error:
            return error

    return in_threads(size, caught)


class Alone(AssertionError):
    """A process waits for others, one of which has ended."""


class _Meeting:
    """Where all processes bring a value, and each gets those of all."""

    def __init__(self, size):
        self.running = threading.Lock()
        self._size = size
        self._changed = threading.Condition(self.running)
        self._brought, self._found = {}, {}
        self._gone = set()
        self._round = 0

    def leave(self, rank):
        self._gone.add(rank)
        self._changed.notify_all()

    def exchange(self, rank, what, value):
        """Called by the thread that runs; lets others run until all have brought a value."""
        number = self._round
        self._brought[rank] = what, value
        if len(self._brought) == self._size:
            self._found, self._brought = self._brought, {}
            self._round += 1
            self._changed.notify_all()
        while self._round == number:
            if self._gone:
                raise Alone(f"process {rank} calls {what}, but {sorted(self._gone)} have ended")
            assert self._changed.wait(TIMEOUT), f"process {rank} hangs in {what}"
        names = {found_what for found_what, _ in self._found.values()}
        assert len(names) == 1, f"processes call different things: {self._found}"
        return [self._found[other][1] for other in range(self._size)]


class ThreadWorld:
    """One process of several, as `fuseprop.world.Processes`."""

    def __init__(self, rank, size, meeting):
        self.rank, self.size = rank, size
        self.local_rank, self.local_size = rank, size
        self._meeting = meeting

    def add(self, array):
        array[...] = self._reduced("add", array, np.add)

    def total(self, values):
        return self._reduced("total", values, np.add)

    def least(self, values):
        return self._reduced("least", values, np.minimum)

    def greatest(self, values):
        return self._reduced("greatest", values, np.maximum)

    def gathered(self, value):
        found = self._meeting.exchange(self.rank, "gathered", value)
        return [copy.deepcopy(one) for one in found]

    def at_first(self, value):
        found = self._meeting.exchange(self.rank, "at_first", value)
        return [copy.deepcopy(one) for one in found] if self.rank == 0 else []

    def of_first(self, value):
        return copy.deepcopy(self._meeting.exchange(self.rank, "of_first", value)[0])

    def rows(self, count):
        return part(self.rank, self.size, count)

    def _reduced(self, what, values, function):
        arrays = self._meeting.exchange(self.rank, what, np.array(values))
        shapes = {(array.shape, array.dtype) for array in arrays}
        assert len(shapes) == 1, f"{what} of different arrays: {shapes}"
        result = arrays[0].copy()
        for array in arrays[1:]:
            result = function(result, array)
        return np.asarray(result)
