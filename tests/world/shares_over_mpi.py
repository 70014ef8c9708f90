"""Run by `mpiexec -n N python`: reads each file of a folder in shares, and in process 0 as a whole."""

import sys
from pathlib import Path

from test_shares import joined, read

from fuseprop.data import DataError
from fuseprop.world import Elsewhere, World


def bytes_read():
    """Return how many bytes this process has asked the system for so far."""
    return int(Path("/proc/self/io").read_text().split()[1])


def say(line):
    """Write a line at once: where nothing is buffered, `print` writes its end apart from it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(folder):
    world = World()
    for path in sorted(Path(folder).iterdir()):
        before = bytes_read()
        try:
            share = read(path, world)
        except (DataError, Elsewhere) as error:
            world.gathered(None)
            say(f"{path.name}: process {world.rank} raised {type(error).__name__}: {error}")
            continue
        took = bytes_read() - before
        shares, numbers = world.gathered(share), world.gathered(took)
        if not world.rank:
            whole = read(path)
            same = joined(shares) == whole.columns and all(one.places == whole.places for one in shares)
            read_of_it = max(numbers) / path.stat().st_size
            say(f"{path.name}: {[one.rows for one in shares]} {same} {read_of_it:.2f}")


main(sys.argv[1])
