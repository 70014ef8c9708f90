"""The hash behind the masks of dropout, in whole numbers modulo 2^32: see `Backend.dropout`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fuseprop.backend import HostArray

from ..plans import BoundCall

ALL = 0xFFFFFFFF

SHIFTS = tuple(np.array(shift, np.uint32) for shift in (16, 15, 16))
FACTORS = tuple(np.array(factor, np.uint32) for factor in (0x7FEB352D, 0x846CA68B))


def mix(x: int) -> int:
    """Return a hash of x, both in [0, 2^32)."""
    x ^= x >> 16
    x = x * 0x7FEB352D & ALL
    x ^= x >> 15
    x = x * 0x846CA68B & ALL
    return x ^ x >> 16


def set_keys(seed: int, step: HostArray, a: HostArray, b: HostArray) -> None:
    """Write a and b of a step (1,), each an array of no dimensions."""
    first = mix(seed ^ mix(int(step[0]) & ALL))
    a[...] = first
    b[...] = mix(first ^ seed)


def threshold(rate: float) -> HostArray:
    """Return the least hash that keeps an element."""
    return np.array(int(rate * 2**32), np.uint32)


def bits_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the unsigned integers that are as wide as a float."""
    return np.dtype(f"u{dtype.itemsize}")


def drop_calls(
    values: HostArray, out: HostArray, h: HostArray, rate: float, kept: HostArray, bits: HostArray
) -> list[BoundCall]:
    """Return the calls that drop by hashes h (size,) uint32; scratch: `kept` (bool) and `bits` (`bits_of`).

    All bits of a dropped element are cleared: np.copyto(out, 0, where=dropped) takes 300 us at 128 x 512,
    whose branches no processor predicts, and this 20 (measured). A product would keep nan.
    """
    scale = np.array(1 / (1 - rate), out.dtype)
    as_bits = out.view(bits.dtype)
    return [
        (np.greater_equal, (h.reshape(out.shape), threshold(rate), kept)),
        (np.copyto, (bits, kept)),
        (np.negative, (bits, bits)),
        (np.multiply, (values, scale, out)),
        (np.bitwise_and, (as_bits, bits, as_bits)),
    ]


def hash_calls(
    numbers: HostArray, a: HostArray, b: HostArray, h: HostArray, shifted: HostArray
) -> list[BoundCall]:
    """Return the calls that hash the elements' numbers into h; `shifted` is scratch; all uint32 (size,)."""
    calls: list[BoundCall] = [(np.bitwise_xor, (numbers, a, h))]
    for i, shift in enumerate(SHIFTS):
        calls.append((np.right_shift, (h, shift, shifted)))
        calls.append((np.bitwise_xor, (h, shifted, h)))
        if i < len(FACTORS):
            calls.append((np.multiply, (h, FACTORS[i], h)))
        if i == 0:
            calls.append((np.add, (h, b, h)))
    return calls
