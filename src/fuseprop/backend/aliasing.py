"""Which arrays share memory: views of one buffer are told apart by the addresses that they span.

`span` and `overlaps` are asked for one array; `Memory` finds where many are in one pass.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from math import prod
from typing import Any, NamedTuple, TypeAlias

from .array import Shape


class Span(NamedTuple):
    """The addresses [start, stop); those of an array without elements are [0, 0).

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import span
    >>> array = np.zeros(10)
    >>> whole, part = span(array), span(array[2:4])
    """

    start: int
    stop: int

    def meets(self, others: Iterable[Span]) -> bool:
        """Whether it shares memory with one of the others."""
        start, stop = self
        for other_start, other_stop in others:  # noqa: SIM110 (any() over a generator takes twice as long)
            if start < other_stop and other_start < stop:
                return True
        return False


Place: TypeAlias = tuple[int, Shape]
"""The address of an array's first element, and its shape. Contiguous views with equal places are the same."""


class Memory:
    """Where arrays are, found in one pass: what else is asked of them is looked up.

    The addresses at which arrays begin and end divide the memory into regions, numbered from 0. An int stands
    for a set of them, with bit i for region i: ``a & b`` is what two sets have in common.

    Attributes
    ----------
    places : {id(array): Place}
        Those of all arrays, which must live as long as this is used.
    regions : {id(array): int}
        The regions that each array spans, as `span` does: arrays share memory if they have one in common.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import Memory
    >>> array = np.zeros(10)
    >>> half, other = array[:5], array[5:]
    >>> memory = Memory([array, half, other])
    >>> bool(memory.regions[id(half)] & memory.regions[id(other)])
    False
    """

    def __init__(self, arrays: Iterable[Any]) -> None:
        distinct = {id(array): array for array in arrays}
        known = {key: _where(array) for key, array in distinct.items()}
        borders = {address for each in known.values() for address in each.span}
        above = {address: 1 << i for i, address in enumerate(sorted(borders))}  # the region that begins there
        self.places: dict[int, Place] = {key: each.place for key, each in known.items()}
        self.regions: dict[int, int] = {
            key: above[each.span.stop] - above[each.span.start] for key, each in known.items()
        }


class _Known(NamedTuple):
    alive: Any  # a weak reference
    span: Span
    place: Place


_known: dict[int, _Known] = {}
"""By `id`, for as long as an array lives: a program's arrays are asked for again and again while it is
compiled, and NumPy takes 0.8 us to tell an address."""


def span(array: Any) -> Span:
    """Return the addresses from the first to the last byte that an array shows, as a view or transposed too.

    Raises TypeError for an array that does not tell where it is.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import span
    >>> array = np.zeros(10)
    >>> span(array) == span(array.reshape(5, 2))
    True
    """
    return _where(array).span


def overlaps(array: Any, others: Iterable[Any]) -> bool:
    """Whether the bytes from the first to the last of an array meet those of one of the others.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import overlaps
    >>> array = np.zeros(10)
    >>> overlaps(array[:5], [array[4:]]), overlaps(array[:5], [array[5:]])
    (True, False)
    """
    return _where(array).span.meets(map(span, others))


def _where(array: Any) -> _Known:
    key = id(array)
    known = _known.get(key)
    if known is not None and known.alive() is array:
        return known
    address, strides = _memory(array)
    span, place = _span(array, address, strides), (address, tuple(array.shape))
    try:
        alive = weakref.ref(array, lambda _: _known.pop(key, None))
    except TypeError:  # a class without weak references is asked again each time
        return _Known(None, span, place)
    known = _known[key] = _Known(alive, span, place)
    return known


def _memory(array: Any) -> tuple[int, tuple[int, ...] | None]:
    """Return the address of an array's first element and its strides in bytes; None if it is C-contiguous."""
    interface = getattr(array, "__array_interface__", None)
    if interface is None:
        pointer = getattr(getattr(array, "data", None), "ptr", None)
        if pointer is not None:  # CuPy, whose __cuda_array_interface__ asks the driver for the stream as well
            return pointer, array.strides
        interface = getattr(array, "__cuda_array_interface__", None)
    if interface is None:
        raise TypeError(
            f"the address of an array must be known to tell what it shares memory with, and "
            f"{type(array).__name__} has none of __array_interface__, data.ptr and __cuda_array_interface__."
        )
    return interface["data"][0], interface.get("strides")


def _span(array: Any, address: int, strides: tuple[int, ...] | None) -> Span:
    size = prod(array.shape) * array.dtype.itemsize
    if not size:
        return Span(0, 0)
    if strides is None:
        return Span(address, address + size)
    ways = [(length - 1) * stride for length, stride in zip(array.shape, strides, strict=True)]
    before, after = sum(way for way in ways if way < 0), sum(way for way in ways if way > 0)
    return Span(address + before, address + after + array.dtype.itemsize)
