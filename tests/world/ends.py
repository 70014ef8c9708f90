"""Processes that end in one way or another: mpiexec -n 3 python ends.py WAY [RANK]."""

import os
import signal
import sys
import time

import numpy as np

from fuseprop.world import World, agreeing, ending_together
from fuseprop.world.failing import Ends

way, chosen = sys.argv[1], int((sys.argv[2:] or ["1"])[0])
world = World()
numbers = np.ones(10_000, np.float32)
is_it = world.rank == chosen


def go_on():
    print("going on", flush=True)
    while True:
        world.add(numbers)
        numbers[:] = 1


def after(deed):
    for _ in range(20):
        world.add(numbers)
    if is_it:
        deed()
    go_on()


def fail():
    raise ValueError(f"process {world.rank} broke")


def in_a_block(deed):
    with ending_together(world):
        deed()


def together():
    raise ValueError("all broke")


def agreed():
    with ending_together(world), agreeing(world):
        if is_it:
            fail()


def caught():
    """In lockstep, an error can be caught as in one process; the next one is told all the same."""
    for what in ("one", "two"):
        try:
            with ending_together(world):
                raise ValueError(what)
        except ValueError:
            world.add(numbers)
    in_a_block(lambda: after(fail))


def two():
    if world.rank > 0:
        fail()
    go_on()


def stuck():
    if is_it:
        time.sleep(60)
    go_on()


def with_words():
    if world.rank == 0:
        Ends.of_this_process.lookout.has_last_words("to go on: type it", sys.argv[3])
    if world.rank == 2:
        Ends.of_this_process.lookout.has_last_words("to go on from nowhere", sys.argv[3] + ".none")
    world.total(0)
    after(lambda: os.kill(os.getpid(), signal.SIGKILL))


WAYS = {
    "well": lambda: world.add(numbers),
    "early": lambda: time.sleep(0 if is_it else 1),
    "error": lambda: after(fail),
    "error in a block": lambda: in_a_block(lambda: after(fail)),
    "two errors": two,
    "error of all": together,
    "error of all in a block": lambda: in_a_block(together),
    "agreed": agreed,
    "caught": caught,
    "exit": lambda: after(lambda: sys.exit(3)),
    "exit well": lambda: after(lambda: sys.exit(0)),
    "exit in a block": lambda: in_a_block(lambda: after(lambda: sys.exit(3))),
    "exit of all": lambda: sys.exit(3),
    "stuck": stuck,
    "kill": with_words,
    "crash": lambda: after(lambda: os.kill(os.getpid(), signal.SIGSEGV)),
    "silent exit": lambda: after(lambda: os._exit(7)),
}

WAYS[way]()
