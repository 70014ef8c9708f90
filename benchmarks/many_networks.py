"""Eight networks trained by eight threads at once, against one after the other.

    python -m benchmarks.many_networks [--rounds 9]

prints for each network the median of the times' ratio, taken in turns: below 1 at once is faster. Ends with
an AssertionError where one has other bits than alone.
"""

from __future__ import annotations

import argparse
import statistics
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np

from fuseprop import MomentumSGD, Network, mlp

NETWORKS = (((64, 32, 10), 32, 200, 12), ((784, 128, 10), 128, 50, 2), ((784, 512, 512, 10), 128, 20, 1))
"""Sizes, rows of a batch, batches and epochs."""

COUNT = 8


def ratios(sizes: tuple[int, ...], rows: int, batches: int, epochs: int, rounds: int) -> list[float]:
    """Return the time of all networks at once over that of one after the other, round by round."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows * batches, sizes[0]), np.float32)
    labels = rng.integers(0, sizes[-1], len(X))

    def trained(seed: int) -> bytes:
        network = Network(mlp(list(sizes)), "softmax_cross_entropy", seed=seed, device="cpu")
        network.fit(X, labels, MomentumSGD(0.01, 0.9), epochs=epochs, batch_size=rows)
        return b"".join(array.tobytes() for pair in network.weights() for array in pair)

    def in_turn() -> list[bytes]:
        return list(map(trained, range(COUNT)))

    def at_once() -> list[bytes]:
        with ThreadPoolExecutor(COUNT) as threads:
            return list(threads.map(trained, range(COUNT)))

    expected, found = in_turn(), []
    for _ in range(rounds):
        seconds = []
        for way in (in_turn, at_once):
            start = perf_counter()
            assert way() == expected, "other bits than alone"
            seconds.append(perf_counter() - start)
        found.append(seconds[1] / seconds[0])
    return found


def main() -> None:
    """Print the ratios of each network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    for sizes, *how in NETWORKS:
        found = ratios(sizes, *how, given.rounds)
        name = f"{'-'.join(map(str, sizes))}, batches of {how[0]}"
        print(f"{name}: {statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
