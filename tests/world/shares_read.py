"""Run by `mpiexec -n 2 python`: reads its share of a table, and says what it found and what that took."""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from fuseprop.data.cells import Numbers
from fuseprop.data.files import open_source
from fuseprop.world import World


def bytes_read():
    """Return the bytes that were read so far, but those that passed through a pipe to DuckDB."""
    numbers = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(numbers["rchar"]) - int(numbers["wchar"])


def peak():
    """Return the most bytes of memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(folder, kind):
    world = World()
    before, held, begin = bytes_read(), peak(), time.perf_counter()
    source = open_source(Path(folder) / f"{world.rank}.{kind}", world=world)
    cells = source.cells(source.names)
    found = {
        "rows": source.rows,
        "seconds": round(time.perf_counter() - begin, 1),
        "read": bytes_read() - before,
        "memory": peak() - held,
        "sums": [float(np.sum(column.values)) for column in cells.values() if isinstance(column, Numbers)],
    }
    all_found = world.gathered(found)
    if not world.rank:
        print(json.dumps(all_found))


main(*sys.argv[1:])
