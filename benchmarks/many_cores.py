"""What a compiled step should gain by more threads than this machine has: a model, on paper.

    python -m benchmarks.many_cores

prints the table of "Many cores, on paper" in `README.md`, which says the model in words. How work is divided
is what `native/engine.hpp` does, with its constants.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from heapq import heapreplace
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from .checkout import ROOT

MACHINE = "AMD EPYC (Zen 3), 2 cores, float32 in vectors of 256 bits"
RATE = 65e9
"""Operations a second of one thread: 784-512-512-10, batches of 128 and 1,024 rows, measured on `MACHINE`."""

END, TAKING = 0.4e-6, 0.1e-6
"""Seconds: the end of a phase of two threads, measured there, and what each further thread is taken to add:
it asks for the phase's ticket, which one of them has at a time."""

COPYING = 10e9
"""Bytes a second of one thread that packs weights, taken to be."""

REPLAY = 100
"""Steps for which weights are packed once."""

LANES, TILE_ROWS = 16, 6
"""Rows of a panel and outputs of a block; rows of a tile in registers."""

ONE_VECTOR = 1.3
"""A step's time with panels of one vector, 8 rows, over that with panels of two: measured there."""

THREADS = (1, 2, 4, 8, 16, 32, 64)
NETWORKS = (
    ((64, 64, 10), 128),
    ((784, 128, 10), 128),
    ((784, 512, 512, 10), 128),
    ((784, 512, 512, 10), 1024),
    ((1024, 1024, 1024, 1024, 10), 8192),
)


class Phase(NamedTuple):
    """The operations of each unit of a phase."""

    units: Sequence[float]

    def seconds(self, threads: int) -> float:
        """Return how long it takes: whoever is free takes the next unit."""
        busy = [0.0] * min(threads, len(self.units))
        for unit in self.units:
            heapreplace(busy, busy[0] + unit / RATE)
        return max(busy) + (END + TAKING * (threads - 2) if threads > 1 else 0.0)


def constant(name: str) -> float:
    """Return a number that `engine.hpp` or `step.hpp` defines."""
    for file in ("engine.hpp", "step.hpp"):
        text = (ROOT / "backends/fuseprop_numpy/native" / file).read_text()
        found = re.search(rf"\b{name} = ([0-9.e]+)(?: << ([0-9]+))?", text)
        if found is not None:
            return float(found[1]) * 2 ** int(found[2] or 0)
    raise LookupError(f"{name} is no constant of the engine.")


def operations(sizes: Sequence[int], rows: int) -> float:
    """Return the multiplications and additions of a step."""
    layers = list(pairwise(sizes))
    return sum(2.0 * rows * k * n * (3 if i else 2) for i, (k, n) in enumerate(layers))


def with_work(sizes: Sequence[int], rows: int, threads: int) -> int:
    """Return how many threads a step has enough operations for, in a run of many steps."""
    return max(1, min(threads, int(operations(sizes, rows) / constant("OPERATIONS_OF_A_SHARE"))))


def rows_phase(sizes: Sequence[int], rows: int, members: int, panels: int) -> Phase:
    """Return the units of rows: each takes its panels forward and back through all layers."""
    all_operations = operations(sizes, rows)
    short = int(constant("OPERATIONS_OF_A_UNIT") * panels / (all_operations + 1))
    each = max(1, min(int(constant("PANELS_OF_A_RUN")), short, panels // members))
    gradients = sum(2.0 * rows * k * n for k, n in pairwise(sizes))
    of_panel = (all_operations - gradients) / panels
    return Phase([of_panel * min(each, panels - at) for at in range(0, panels, each)])


def parameters_phase(sizes: Sequence[int], rows: int, members: int) -> Phase:
    """Return the units of parameters: tiles of a layer's gradient, which are updated at once."""
    padded, all_operations = ceil(rows / LANES) * LANES, operations(sizes, rows)
    most, units = constant("OPERATIONS_OF_A_UNIT"), []
    wanted = max(
        constant("OPERATIONS_OF_A_TILE"), all_operations / 3 / (constant("TILES_A_THREAD") * members)
    )
    grain = most if members == 1 else min(wanted, most)
    for k, n in pairwise(sizes):
        blocks, parts = ceil(n / LANES), ceil((k + 1) / TILE_ROWS)
        group = blocks if members == 1 else max(1, int(constant("CHUNK") / (padded * LANES * 4)))
        for b in range(0, blocks, group):
            work = 2.0 * rows * k * (min(b + group, blocks) - b) * LANES
            cut = max(1, min(parts, int(work / grain + 0.5)))
            units += [work / cut] * cut
    return Phase(units)


def as_it_is(sizes: Sequence[int], rows: int, threads: int) -> float:
    """Return the seconds of a step with so many threads."""
    wanted, panels = with_work(sizes, rows, threads), ceil(rows / LANES)
    narrow = ceil(2 * rows / LANES) <= wanted
    panels = ceil(2 * rows / LANES) if narrow else panels
    members = min(wanted, panels)
    phases = rows_phase(sizes, rows, members, panels), parameters_phase(sizes, rows, members)
    weights = sum((k + 1) * n for k, n in pairwise(sizes))
    packing = 8.0 * weights / COPYING * (1 / members + 1) / REPLAY  # back by one thread
    return sum(phase.seconds(members) for phase in phases) * (ONE_VECTOR if narrow else 1) + packing


def outputs_divided(sizes: Sequence[int], rows: int, threads: int) -> float:
    """Return the seconds of a step if outputs were divided too: each layer would be a phase each way."""
    members, panels = with_work(sizes, rows, threads), ceil(rows / LANES)
    seconds = parameters_phase(sizes, rows, members).seconds(members)
    for i, (k, n) in enumerate(pairwise(sizes)):
        for outputs in (n, k) if i else (n,):
            units = panels * ceil(outputs / LANES)
            seconds += Phase([2.0 * rows * k * n / units] * units).seconds(members)
    return seconds + 2 * Phase([0.0]).seconds(members)  # rows are gathered, and told their losses


def table() -> str:
    """Return the table, as Markdown."""
    head = "| network, batch | panels | " + " | ".join(map(str, THREADS)) + " |"
    lines = [head, "|---|---" + "|---" * len(THREADS) + "|"]
    for sizes, rows in NETWORKS:
        one = as_it_is(sizes, rows, 1)
        cells = []
        for threads in THREADS:
            today, divided = one / as_it_is(sizes, rows, threads), one / outputs_divided(sizes, rows, threads)
            cells.append(f"{today:.1f}" + (f" ({divided:.1f})" if divided > 1.05 * today else ""))
        name = "-".join(map(str, sizes))
        lines.append(f"| {name}, {rows:,} | {ceil(rows / LANES)} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201
