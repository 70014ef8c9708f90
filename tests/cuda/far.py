"""Arrays of more than 2^32 elements in a few pages: what kernels do with indices that 32 bits cannot hold.

A `FarBackend` moves whatever has as many as ROWS rows to behind 2^32 rows of zeros, of which only the pages
that are touched exist; host arrays go there and come from there. Of a launch only the first and the last
block run: the last one has the last items. So the usual comparisons tell what an index of 32 bits does,
signed or not: it comes to the zeros, or to the 2^31 elements that lie before each array.
"""

import mmap
from math import prod

import cupy_private
import numpy as np
import pytest
from comparisons import ACTIVATIONS, UPDATES, Comparison
from fuseprop_cupy.device import launch
from fuseprop_cupy.operations import dense, updates
from fuseprop_numpy import NumpyBackend
from host_device import HostDevice, HostRunBackend, on_host

from fuseprop.backend import IDENTITY, INTEGER

ROWS, HEAD, BEFORE = 40, 2**32, 2**31

LONG_WALKS = {"inner_product"}
"""Kernels whose one block goes over all of an array, which takes minutes beyond 2^32."""

NEVER_LONG = {"small_product"}
"""Kernels for arrays of some hundred thousand elements at most."""


def sparse(size):
    """Return so many bytes of zeros that take no memory until they are written to."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
    try:
        memory = mmap.mmap(-1, size, flags=flags)
    except OSError as error:
        pytest.skip(f"this machine gives no {size / 2**30:.0f} GiB of address space: {error}")
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        memory.madvise(mmap.MADV_NOHUGEPAGE)  # a page that is touched is 4 KiB, not 2 MiB
    return np.frombuffer(memory, np.uint8)


class FarDevice(HostDevice):
    """A `HostDevice` whose long arrays begin with `head` rows that no test reads."""

    head = HEAD

    def empty(self, shape, dtype):
        if shape[0] >= ROWS:
            shape = (self.head + shape[0], *shape[1:])
        elif len(shape) == 2 and shape[1] >= ROWS:  # moments
            shape = (shape[0], self.head + shape[1])
        before = BEFORE * dtype.itemsize
        buffer = sparse(before + prod(shape) * dtype.itemsize)
        return cupy_private.array_over(buffer, buffer.ctypes.data + before, tuple(shape), dtype)

    def fill_zero(self, array):
        pass  # new memory is zero

    def upload(self, source, out):
        on_host(out)[(..., slice(-source.shape[-1], None)) if moments(out) else slice(-len(source), None)] = (
            source
        )

    def download(self, array):
        first = self.head if max(array.shape) > self.head else 0
        return on_host(array)[(slice(None),) * moments(array) + (slice(first, None),)].copy()

    def run(self, kernel, grid, arguments):
        self.launched.append(kernel.expression)
        values = [np.uintp(a.data.ptr) if isinstance(a, self.array_type) else a for a in arguments]
        self._kernels.run_ends(kernel, grid, values)


def moments(array):
    """Whether an array (M, P) is long in its rows."""
    return array.ndim == 2 and array.shape[0] < ROWS <= array.shape[1]


class FarBackend(HostRunBackend):
    """The backend on a `FarDevice`; numbers of rows that it is given count from the end of the zeros."""

    def _open(self, ordinal):
        return FarDevice(ordinal, self.dtype, self._built)

    def _table(self, ranges):
        return super()._table(tuple((HEAD + start, HEAD + stop) for start, stop in ranges))

    def _behind(self, order):
        return self.from_host(HEAD + self.to_host(order), dtype=INTEGER)

    def take_rows(self, source, order, cursor, *, out):
        super().take_rows(source, self._behind(order), cursor, out=out)

    def take_batch(self, order, cursor, sources, *, outs):
        super().take_batch(self._behind(order), cursor, sources, outs=outs)


def compare_far(dtype, built=None):
    """Compare kernels, but those above, on arrays of more than 2^32 elements; return the ones launched."""
    backend, rng = FarBackend(dtype, built=built), np.random.default_rng(0)
    compare = Comparison(backend)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "MAX_BLOCKS", 2**31)  # one item a thread: the last block has the last ones
        patch.setattr(updates, "SQUARES_BLOCKS", 2**31)
        patch.setattr(updates, "SQUARES_PER_THREAD", 1)
        compare.epoch(ROWS, 2, rng)
        compare.dropout(ROWS, 2, rng)
        compare.losses(ROWS, 2, rng)
        compare.update(2 * ROWS, rng)
        compare.fused(ROWS, 2, rng)
        for formula in ACTIVATIONS.values():
            inputs = {"z": rng.normal(size=(ROWS, 2)), "bias": rng.normal(size=2)}
            kept = {"kept": (ROWS, 2)} if formula.slope_of == "z" else {}
            compare("bias_activation", inputs, {"out": (ROWS, 2), **kept}, formula)
        add_up_parts(backend, rng)
        backend.seam.head = 0
        patch.setattr(dense, "SLICE", 1)
        for formula in ACTIVATIONS.values():
            add_up_columns(backend, formula, rng)
        add_up_columns(backend, IDENTITY, rng, in_place=True)
    return set(backend.seam.launched)


def add_up_parts(backend, rng):
    """Gradients of which there are two parts, by every kernel that adds them up."""
    size, rows = HEAD + 2 * ROWS, 2 * ROWS
    host = rng.normal(size=2 * ROWS).astype(backend.dtype)
    parts = backend.from_host(host)
    summed = backend.from_host(np.array([[HEAD + 10, HEAD + 10 + ROWS, HEAD, 2]]), dtype=INTEGER)
    for rule in (None, *UPDATES.values()):
        gradients, blocks = backend.empty((rows,)), launch.blocks_for(size)
        if rule is None:
            more = parts, summed, 1, backend.empty((2**26,)), size
            backend._run(backend._typed("gradient_squares"), blocks, gradients, *more)
        else:
            kept = backend.empty((rows,)), gradients, backend.empty((len(rule.moments), rows))
            settings = backend.from_host(np.zeros(len(rule.settings) + 1))
            more = settings, None, 0, parts, summed, 1, None, 0, size
            backend._run_formula("update", rule, blocks, *kept, *more)
        expected = np.zeros_like(host)
        expected[10 : 10 + ROWS] = host[:ROWS] + host[ROWS:]
        np.testing.assert_array_equal(backend.to_host(gradients), expected)


def add_up_columns(backend, formula, rng, *, in_place=False):
    """A matrix that is wide instead: its last rows and columns, and their sums in two stages."""
    shape, corner = (1024, 2**23 + 2**15 + 7), (slice(-2, None), slice(-7, None))
    host, gradient = rng.uniform(size=(2, 2, 7)).astype(backend.dtype), backend.empty(shape)
    output, out = backend.empty(shape), gradient if in_place else backend.empty(shape)
    bias_gradient = backend.empty(shape[1:])
    on_host(gradient)[corner], on_host(output)[corner] = host
    backend.activation_backward(gradient, output, formula, out=out, bias_gradient=bias_gradient)
    numpy = NumpyBackend(backend.dtype.name)
    expected, sums = numpy.empty((2, 7)), numpy.empty((7,))
    numpy.activation_backward(*map(numpy.from_host, host), formula, out=expected, bias_gradient=sums)
    compare = Comparison(backend)
    compare.agree(on_host(out)[corner], numpy.to_host(expected))
    compare.agree(on_host(bias_gradient)[-7:], numpy.to_host(sums))
