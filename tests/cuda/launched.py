"""Which kernels are launched on a GPU, by their names in C++: what each verdict stands on."""

from contextlib import contextmanager

import numpy as np
from fuseprop_cupy.device.blas import Blas
from fuseprop_cupy.device.device import Device
from fuseprop_cupy.device.nodes import Copy, Multiply
from own import kernels

PRODUCT = "matmul (cuBLAS)"
"""All products, by whichever handle."""

ALL = (*kernels(np.dtype("float32")), *(n for n in kernels(np.dtype("float64")) if "double" in n), PRODUCT)
"""Everything that the tests can launch, in both dtypes."""


@contextmanager
def noted(note):
    """Call `note` with the name of everything that a `Device` launches meanwhile, before it is launched.

    A node that is prepared is noted whenever it is asked for, so also when it is written down in a graph.
    """
    before = {(owner, name): getattr(owner, name) for owner, name in WRAPPED}
    for (owner, name), method in before.items():
        setattr(owner, name, WRAPPED[owner, name](method, note))
    try:
        yield
    finally:
        for (owner, name), method in before.items():
            setattr(owner, name, method)


def _run(run, note):
    def noting(self, kernel, *rest, **options):
        note(kernel.expression)
        return run(self, kernel, *rest, **options)

    return noting


def _multiply(multiply, note):
    def noting(self, *factors, **options):
        note(PRODUCT)
        return multiply(self, *factors, **options)

    return noting


def _prepare(prepare, note):
    def noting(self, node):
        call = prepare(self, node)
        if isinstance(node, Copy):
            return call
        return _told(call, PRODUCT if isinstance(node, Multiply) else node.kernel.expression, note)

    return noting


def _product(product, note):
    def noting(self, *factors, **options):
        return _told(product(self, *factors, **options), PRODUCT, note)

    return noting


def _told(call, name, note):
    """A prepared call that is noted; it keeps what the call keeps."""

    def noting():
        note(name)
        return call()

    return noting


WRAPPED = {
    (Device, "run"): _run,
    (Device, "multiply"): _multiply,
    (Device, "prepare"): _prepare,
    (Blas, "product"): _product,
}
"""Everything of the seam that launches, and how its wrapper is made."""
