"""What a step of data-parallel training takes on P processes, by arithmetic: a model of one page.

    python -m benchmarks.scaling [--network 784-512-512-10] [--batch 1024] [--processes 1 2 4 8]
        [--rate 1000] [--latency 5] [--bandwidth 12] [--fixed 50] [--memory 100]

Every process has a part of the batch's rows and all of the weights. It computes the gradients of its rows,
they are summed over all processes, and each makes the same update:

    t(P) = fixed + compute(rows / P) + update + sum(P)

Only the rows are divided. A sum goes by messages, and a message of n bytes takes alpha + n beta: the latency
and the inverse of the bandwidth (R. Hockney, Parallel Computing 20, 1994). What a sum costs then depends on
how the messages go; R. Thakur, R. Rabenseifner and W. Gropp (International Journal of High Performance
Computing Applications 19, 2005) count them for the ways below. The model takes the cheapest way, lets no
sum overlap with computing, and knows no congestion, no process that is late, and no adding beside sending.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import NamedTuple

import numpy as np

FLOAT = 4
"""Bytes of a number, in float32."""

UPDATED = 5
"""Arrays that an update with momentum reads or writes: weights and velocity both, the gradient once."""


class Way(NamedTuple):
    """How a sum goes: so many messages one after the other, with so many times the array in them."""

    messages: float
    arrays: float

    def seconds(self, size: float, alpha: float, beta: float) -> float:
        """Return what the sum of an array of so many bytes takes."""
        return self.messages * alpha + self.arrays * size * beta


def ring(processes: int) -> Way:
    """Return the way of P - 1 rounds that add up a P-th of the array each, and P - 1 that pass sums on."""
    return Way(2 * (processes - 1), 2 * (processes - 1) / processes)


def doubling(processes: int) -> Way:
    """Return the way of recursive doubling: pairs exchange all they have, then pairs of pairs, and so on.

    Where P is no power of two, some give theirs to a neighbour first, and get the sum at the end.
    """
    rounds, odd = processes.bit_length() - 1, processes.bit_count() > 1
    return Way(rounds + 2 * odd, rounds + 2 * odd)


WAYS = (ring, doubling)


@dataclass(frozen=True)
class Place:
    """Where processes compute and how they talk.

    Attributes
    ----------
    rate : float
        Floating-point operations a second that one process reaches.
    alpha, beta : float
        Seconds of a message, and seconds a byte of it.
    fixed : float
        Seconds a step that depend neither on rows nor on parameters.
    memory : float
        Bytes a second that the update of one process moves.
    at_once : float
        How many processes compute at the same time; more take turns.
    """

    rate: float
    alpha: float
    beta: float
    fixed: float = 0.0
    memory: float = inf
    at_once: float = inf

    def sum(self, processes: int, numbers: int) -> float:
        """Return what summing so many numbers over all processes takes."""
        ways = (way(processes) for way in WAYS)
        return min(way.seconds(FLOAT * numbers, self.alpha, self.beta) for way in ways)

    def own(self, sizes: Sequence[int], rows: float) -> float:
        """Return what a process computes by itself, with so many rows of its own."""
        update = UPDATED * FLOAT * parameters(sizes) / self.memory
        return self.fixed + flops(sizes, rows) / self.rate + update

    def step(self, processes: int, sizes: Sequence[int], rows: float) -> float:
        """Return what a step takes whose batch of so many rows is divided among the processes."""
        turns = max(1.0, processes / self.at_once)
        return turns * self.own(sizes, rows / processes) + self.sum(processes, parameters(sizes))

    def strong(self, processes: int, sizes: Sequence[int], rows: int) -> float:
        """Return how many times faster than one process they are with one and the same batch."""
        return self.step(1, sizes, rows) / self.step(processes, sizes, rows)

    def weak(self, processes: int, sizes: Sequence[int], rows: int) -> float:
        """Return the efficiency with so many rows for each: a step of one process over that of them all."""
        return self.step(1, sizes, rows) / self.step(processes, sizes, processes * rows)

    def rows(self, efficiency: float) -> float:
        """Return the rows a process needs for such an efficiency on many, however large the network is.

        A row costs 6 operations a parameter, the sum of many processes by a ring 2 arrays of 4 bytes a
        parameter: parameters cancel. Latency, what is fixed and the update are left out.
        """
        return efficiency / (1 - efficiency) * 2 * FLOAT * self.beta * self.rate / 6

    def latency_below(self) -> float:
        """Return below how many parameters the latency of a message is the larger part of it."""
        return self.alpha / (FLOAT * self.beta)


def parameters(sizes: Sequence[int]) -> int:
    """Return how many weights and biases a dense network has."""
    return sum((inputs + 1) * units for inputs, units in pairwise(sizes))


def flops(sizes: Sequence[int], rows: float) -> float:
    """Return the operations of a step's products: forward, by weights, and by inputs but those of layer 1."""
    weights = [inputs * units for inputs, units in pairwise(sizes)]
    return rows * (6 * sum(weights) - 2 * weights[0])


def fitted(processes: int, seconds: dict[int, float]) -> tuple[float, float]:
    """Return the alpha and the beta, neither below 0, that fit measured sums best, by relative squares.

    `seconds` are those of a sum over so many processes, by how many numbers it has. For each pair of
    numbers the cheapest way is known, and for each way the best pair: they take turns until both stay.
    """
    bytes_of, measured = FLOAT * np.array(list(seconds), float), np.array(list(seconds.values()))
    alpha, beta = 0.0, 1.0  # long arrays first
    for _ in range(20):
        ways = [min((w(processes) for w in WAYS), key=lambda w: w.seconds(n, alpha, beta)) for n in bytes_of]
        costs = np.array([(w.messages, w.arrays * n) for w, n in zip(ways, bytes_of, strict=True)])
        found = _least_squares(costs / measured[:, None])
        if np.allclose(found, (alpha, beta), rtol=1e-12, atol=0.0):
            break
        alpha, beta = found
    return alpha, beta


def _least_squares(costs: np.ndarray) -> tuple[float, float]:
    """Return the pair, neither below 0, whose costs are nearest to 1."""
    both = np.linalg.lstsq(costs, np.ones(len(costs)), rcond=None)[0]
    if (both >= 0).all():
        return float(both[0]), float(both[1])
    only = costs.sum(0) / (costs**2).sum(0)  # each by itself
    first = ((costs[:, 0] * only[0] - 1) ** 2).sum() < ((costs[:, 1] * only[1] - 1) ** 2).sum()
    return (float(only[0]), 0.0) if first else (0.0, float(only[1]))


def main() -> None:
    """Foretell the steps of a place that is described on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="784-512-512-10")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--rate", type=float, default=1000, help="10^9 operations a second of a process")
    parser.add_argument("--latency", type=float, default=5, help="microseconds of a message")
    parser.add_argument("--bandwidth", type=float, default=12, help="10^9 bytes a second")
    parser.add_argument("--fixed", type=float, default=50, help="microseconds a step beside all else")
    parser.add_argument("--memory", type=float, default=100, help="10^9 bytes a second of the update")
    given = parser.parse_args()
    sizes = [int(units) for units in given.network.split("-")]
    place = Place(
        given.rate * 1e9, given.latency * 1e-6, 1e-9 / given.bandwidth, given.fixed * 1e-6, given.memory * 1e9
    )
    for processes in given.processes:
        step = place.step(processes, sizes, given.batch)
        print(  # noqa: T201
            f"{processes} processes: {1e6 * step:,.0f} us a step (forecast), of which the sum "
            f"{1e6 * place.sum(processes, parameters(sizes)):,.0f}; one batch of {given.batch:,} divided: "
            f"{place.strong(processes, sizes, given.batch):.2f} times as fast; so many rows for each: "
            f"{place.weak(processes, sizes, given.batch):.0%} efficient"
        )


if __name__ == "__main__":
    main()
