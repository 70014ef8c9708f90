"""How the update goes over the flat parameters: in blocks, so that its scratch stays in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

UPDATE_BLOCK = 1 << 16
"""Elements updated at a time, however large the network is."""


def update_blocks(size: int, decay_ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, bool]]:
    """Cut [0, size) at the ends of the decay ranges, and each piece into blocks: (start, stop, decays)."""
    position = 0
    for begin, end in (*decay_ranges, (size, size)):
        for first, last, decays in ((position, begin, False), (begin, end, True)):
            for start in range(first, last, UPDATE_BLOCK):
                yield start, min(start + UPDATE_BLOCK, last), decays
        position = end
