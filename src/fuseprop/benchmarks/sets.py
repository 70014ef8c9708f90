"""Sets of processes: rounds are divided among several, so that a row does not hang on where one's arrays lie.

What differs from one process to the next would otherwise differ from one comparison to the next. With all
rounds in one set, 22 of 109 rows had intervals in two comparisons that did not meet, with gaps of up to 7%.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .turns import CLOCKS, Peer, measure

SETS = 4
"""How many by default."""

BLOCK = {"cpu": 0.03, "cuda": 0.02}
"""Seconds that are timed in one piece. Rows whose smallest unit is longer take that."""


def measure_all(
    networks: list[dict[str, Any]],
    device: str,
    modules: list[str],
    *,
    rounds: int,
    seconds: float,
    pause: float,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Measure all networks in fresh processes, and add the rows to theirs; return who was there.

    Each network takes `rounds`, or fewer where all together would take more than these seconds.
    """
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(len(modules)) as starting:  # all at once: what they import takes seconds
        everyone = list(starting.map(lambda module: Peer(module, device), modules))
    try:
        block = BLOCK[device.partition(":")[0]]
        present = [peer for peer in everyone if peer.missing is None]
        for i, network in enumerate(networks):
            case, activation = network["network"], network["activation"]
            say(f"{case} {activation}")
            share = (end - time.monotonic()) / (len(networks) - i)  # what one leaves, the next ones have
            rows = measure(present, case, activation, rounds=rounds, block=block, seconds=share, pause=pause)
            network["rows"] = joined(network["rows"], rows)
    finally:
        for peer in everyone:
            peer.close()
    return [
        {"name": peer.name, "version": peer.hello.get("version", ""), "absent": peer.missing}
        for peer in everyone
    ]


def joined(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with the times of both; what kept one from being measured at any time stands."""
    if not before:
        return now
    lists = {"times", *CLOCKS}
    return [
        {**new, **old, **{key: old.get(key, []) + new[key] for key in lists & new.keys()}}
        for old, new in zip(before, now, strict=True)
    ]
