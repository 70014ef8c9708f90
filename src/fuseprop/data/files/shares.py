"""Which part of each file is whose, where several processes read a table together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from ...checks.quoting import counted
from ...world import ALONE, Processes
from ..errors import DataError
from .opening import Named, refusing


@dataclass(frozen=True)
class Shares:
    """The parts of one file, one for each process.

    Attributes
    ----------
    world : Processes
    cuts : tuple of Fraction
        Where in the file, from 0 to 1, the part of each process begins, by rank, and where the last one ends.
    even : Fraction
        How large, in sizes of this file, the share of a process is in all files together.
    """

    world: Processes
    cuts: tuple[Fraction, ...]
    even: Fraction

    def of(self, length: int, unit: int = 1) -> list[int]:
        """Return where the parts of `length` bytes or rows begin, and where the last one ends."""
        return [int(cut * length) // unit * unit for cut in self.cuts[:-1]] + [length]


WHOLE = Shares(ALONE, (Fraction(0), Fraction(1)), Fraction(1))
"""One process has all of the file."""


def shares_in(files: Sequence[Named], world: Processes, what: str, hint: str) -> list[Shares]:
    """Return the parts of each file, such that all processes have as many bytes, one behind the other.

    Raises DataError for standard input, and for a file that is not as large in all processes.
    """
    if world.size == 1:
        return [Shares(world, WHOLE.cuts, WHOLE.even)] * len(files)
    sizes: list[int] = []
    for file in files:
        with refusing(file, what, hint, world):
            sizes.append(file.size())
    all_sizes = world.gathered(sizes)
    for rank, found in enumerate(all_sizes):
        for file, size, first in zip(files, found, all_sizes[0], strict=True):
            if size != first:
                raise DataError(
                    f"{file.place} has {counted(first, 'byte')} in process 0, but {size:,} in process "
                    f"{rank}; expected the same file in all. Copy it to each machine, or to a folder that "
                    f"all see."
                )
    return [_cut(begin, end, sum(sizes), world) for begin, end in pairwise(_sums(sizes))]


def _sums(sizes: Sequence[int]) -> list[int]:
    sums = [0]
    for size in sizes:
        sums.append(sums[-1] + size)
    return sums


def _cut(begin: int, end: int, whole: int, world: Processes) -> Shares:
    """Return the parts of the file that holds the bytes from `begin` to `end` of all files together."""
    size = max(1, end - begin)
    cuts = [
        min(max(Fraction(rank * whole, world.size) - begin, Fraction(0)) / size, Fraction(1))
        for rank in range(world.size)
    ]
    return Shares(world, (*cuts, Fraction(1)), Fraction(whole, world.size * size))
