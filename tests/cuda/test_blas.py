"""The products of a handle of our own: the arguments that cuBLAS is given, computed by its definition."""

import ctypes
import gc
import re
from types import SimpleNamespace

import cupy_private
import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')
pytest.importorskip("nvmath", reason='needs nvmath-python, not a GPU: pip install -e ".[test]"')

from fuseprop_cupy.device.blas import Blas, import_cublas, workspace_bytes
from nvmath.bindings import cublas

from fuseprop.backend import BackendUnavailable

HANDLE = 77
"""The first one; each of those that follow is one more."""

C_TYPES = {0: ctypes.c_float, 1: ctypes.c_double}


class ByDefinition:
    """The functions of cuBLAS that a `Blas` uses, over host memory and in columns, as documented."""

    ComputeType, Operation, GemmAlgo = cublas.ComputeType, cublas.Operation, cublas.GemmAlgo

    def __init__(self):
        self.asked = []
        self.handles = 0
        self.computed = []  # the type of the sums of each product

    @property
    def pointed(self):
        """The streams that handles were told, in order."""
        return [asked[2] for asked in self.asked if asked[0] == "set_stream"]

    def create(self):
        self.handles += 1
        return HANDLE + self.handles - 1

    def set_stream(self, *arguments):
        self.asked.append(("set_stream", *arguments))

    def set_workspace(self, *arguments):
        self.asked.append(("set_workspace", *arguments))

    def gemm_ex(
        self, handle, transa, transb, m, n, k, alpha, a, atype, lda, b, btype, ldb, beta, c, ctype, ldc,
        compute_type, algo,
    ):  # fmt: skip
        assert HANDLE <= handle < HANDLE + self.handles
        assert algo == cublas.GemmAlgo.DFALT
        self.computed.append(compute_type)
        single = compute_type == cublas.ComputeType.COMPUTE_32F
        assert {atype, btype, ctype} == {0 if single else 1}
        assert single or compute_type == cublas.ComputeType.COMPUTE_64F
        number = C_TYPES[atype]

        def columns(address, rows, columns, leading):
            assert leading >= rows
            memory = (number * (leading * columns)).from_address(address)
            return np.ctypeslib.as_array(memory).reshape(columns, leading).T[:rows]

        A = columns(a, *((m, k) if transa == 0 else (k, m)), lda)
        B = columns(b, *((k, n) if transb == 0 else (n, k)), ldb)
        C = columns(c, m, n, ldc)
        factor, kept = (number.from_address(address).value for address in (alpha, beta))
        C[...] = factor * (A if transa == 0 else A.T) @ (B if transb == 0 else B.T) + (kept and kept * C)


def put_library(monkeypatch):
    """Put a `ByDefinition` in the place of cuBLAS, of which no handle is spare."""
    made = ByDefinition()
    monkeypatch.setattr("fuseprop_cupy.device.blas.import_cublas", lambda: made)
    monkeypatch.setattr("fuseprop_cupy.device.blas._spare", {})
    return made


@pytest.fixture
def library(monkeypatch):
    return put_library(monkeypatch)


def on_device(host):
    """A cupy.ndarray over a NumPy array."""
    return cupy_private.array_over(host, host.ctypes.data, host.shape, host.dtype)


def workspace(device=0):
    return SimpleNamespace(data=SimpleNamespace(ptr=4096, device_id=device), nbytes=512)


WORKSPACE = workspace()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("d", [1, 4])
@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("turned", ["", "a", "b", "ab"])
def test_products(library, dtype, n, d, m, turned):
    rng = np.random.default_rng(0)
    factors = []
    for name, shape in (("a", (n, d)), ("b", (d, m))):
        host = rng.normal(size=shape[::-1] if name in turned else shape).astype(dtype)
        factors.append((host.T, on_device(host).T) if name in turned else (host, on_device(host)))
    out = np.full((n, m), np.nan, dtype)
    (a, a_device), (b, b_device) = factors
    Blas(np.dtype(dtype), WORKSPACE).product(a_device, b_device, on_device(out))()
    np.testing.assert_allclose(out, a @ b, rtol=1e-5)


def test_the_workspace_follows_the_stream(library):
    blas = Blas(np.dtype("float32"), WORKSPACE)
    blas.use(9)
    assert library.asked == [("set_stream", HANDLE, 9), ("set_workspace", HANDLE, 4096, 512)]


def test_a_handle_serves_one_owner_after_the_other_on_its_device_and_is_never_destroyed(library):
    """Destroying one waits for the device, which no thread may do while any captures a step."""
    first, second = (Blas(np.dtype("float32"), workspace(device)) for device in (0, 1))
    assert library.handles == 2
    del first
    gc.collect()
    third, fourth = (Blas(np.dtype("float64"), workspace(0)) for _ in range(2))
    for blas in (second, third, fourth):
        blas.use(9)
    assert [asked[1] for asked in library.asked if asked[0] == "set_stream"] == [
        HANDLE + 1,
        HANDLE,
        HANDLE + 2,
    ]


def test_a_product_keeps_the_handles_numbers(library):
    """alpha and beta are read from the host when a product is asked for."""
    a, out = np.eye(2, dtype="float32"), np.zeros((2, 2), "float32")
    blas = Blas(np.dtype("float32"), WORKSPACE)
    product = blas.product(on_device(a), on_device(a), on_device(out))
    del blas
    gc.collect()
    Blas(np.dtype("float32"), WORKSPACE)
    assert library.handles == 2
    product()
    np.testing.assert_array_equal(out, a)


@pytest.mark.parametrize("name", ["create", "set_stream", "set_workspace", "gemm_ex"])
def test_nvidias_functions_take_these_arguments(name):
    """By name and order, from their own documentation; no GPU is needed to read it."""
    documented = re.match(rf"{name}\((.*?)\)", getattr(cublas, name).__doc__)[1]
    names = [argument.rpartition(" ")[2] for argument in documented.split(", ") if argument]
    ours = getattr(ByDefinition, name).__code__
    if name == "gemm_ex":
        assert names == list(ours.co_varnames[1 : ours.co_argcount])
    else:
        assert len(names) == {"create": 0, "set_stream": 2, "set_workspace": 3}[name]


def test_workspaces_are_those_that_nvidia_recommends():
    assert (workspace_bytes(80), workspace_bytes(90), workspace_bytes(120)) == (4 << 20, 32 << 20, 32 << 20)


def test_without_nvmath_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nvmath.bindings", None)
    with pytest.raises(BackendUnavailable, match=r"nvmath-python is not installed.*Type: .*pip install"):
        import_cublas()
