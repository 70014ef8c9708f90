"""Products outside of graphs: strict whatever the environment says, by a handle of each thread and stream."""

import ast
import gc
import threading
import weakref
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')
pytest.importorskip("nvmath", reason='needs nvmath-python, not a GPU: pip install -e ".[test]"')

from fuseprop_cupy import CupyBackend
from fuseprop_cupy.device import products
from fuseprop_cupy.device.device import Device
from fuseprop_cupy.device.nodes import Multiply
from fuseprop_cupy.device.products import Products
from host_device import HostRunBackend
from nvmath.bindings import cublas
from test_blas import on_device, put_library
from two_threads import in_threads

from fuseprop.backend import BackendUnavailable


class Stream:
    def __init__(self, ptr):
        self.ptr = ptr


class Workspace:
    nbytes = 32 << 20

    def __init__(self, address):
        self.data = SimpleNamespace(ptr=address, device_id=0)


class OneDevice:
    """A CuPy with a current stream for each thread, and no `dot`."""

    def __init__(self):
        self.local = threading.local()
        self.cuda = SimpleNamespace(
            get_current_stream=lambda: getattr(self.local, "stream", Stream(0)),
            Device=lambda ordinal: SimpleNamespace(compute_capability="90"),
        )


@pytest.fixture
def library(monkeypatch):
    return put_library(monkeypatch)


@pytest.fixture
def workspaces():
    return []


@pytest.fixture
def made(library, workspaces):
    return products_on(workspaces)


def products_on(workspaces):
    """Products in float32 on the device of `OneDevice`; a list gets a reference to each workspace."""

    def empty(shape, dtype):
        assert (shape, dtype) == ((32 << 20,), np.uint8)
        workspace = Workspace(4096 + len(workspaces))
        workspaces.append(weakref.ref(workspace))
        return workspace

    return Products(OneDevice(), 0, np.dtype("float32"), empty)


def multiply(made):
    a, b, out = (
        np.arange(6, dtype="float32").reshape(2, 3),
        np.ones((3, 2), "float32"),
        np.empty((2, 2), "float32"),
    )
    made.multiply(on_device(a), on_device(b), on_device(out))
    np.testing.assert_array_equal(out, a @ b)


@pytest.mark.parametrize("turned", [False, True])
def test_products_are_strict_whatever_cupy_is_told(library, made, turned, monkeypatch):
    """By the arguments that cuBLAS gets: the type of the sums is that of float32 itself."""
    monkeypatch.setenv("CUPY_TF32", "1")
    monkeypatch.setattr("fuseprop_cupy.device.device.probe", lambda ordinal: None)
    device = Device.__new__(Device)
    device._products, device._cupy = made, made._cupy
    a, b = np.arange(6, dtype="float32").reshape(2, 3), np.eye(3, dtype="float32")
    for ask in (device.multiply, lambda *arrays: device.prepare(Multiply(*arrays))()):
        out = np.empty((2, 3), "float32")
        ask(on_device(a), on_device(b).T if turned else on_device(b), on_device(out))
        np.testing.assert_array_equal(out, a)
    assert library.computed == [cublas.ComputeType.COMPUTE_32F] * 2
    assert made.without is None


def test_a_thread_has_one_handle_as_long_as_its_stream_stays(library, made, workspaces):
    for _ in range(3):
        multiply(made)
    assert (library.handles, len(workspaces)) == (1, 1)
    assert [asked[0] for asked in library.asked] == ["set_stream", "set_workspace"]


def test_another_stream_gets_another_workspace_and_keeps_the_stream(library, made, workspaces):
    """Two streams that share a workspace would write over each other's parts."""
    first, second = Stream(8), Stream(9)
    made._cupy.local.stream = first
    multiply(made)
    made._cupy.local.stream = second
    kept = weakref.ref(second)
    multiply(made)
    del second
    made._cupy.local.stream = first
    gc.collect()
    assert kept() is not None  # its address is not to be another stream's while a handle points there
    assert [workspace() is None for workspace in workspaces] == [True, False]
    multiply(made)
    assert len({asked[2] for asked in library.asked if asked[0] == "set_workspace"}) == 3
    assert library.pointed == [8, 9, 8]


def test_two_threads_never_share_a_handle(library, made):
    """On the default stream too, whose address is the same for both."""

    def work():
        for _ in range(3):
            multiply(made)
        return made._local.blas

    first, second = in_threads(work, work)
    assert first is not second
    assert first._handle != second._handle
    assert library.handles == 2


def test_without_nvmath_cupys_handle_is_asked_strictly(made, monkeypatch):
    """`gemm` goes by no variable; what is asked for is remembered, and so is why."""
    asked = []

    def none():
        asked.append("import")
        raise BackendUnavailable("nvmath-python is not installed.")

    monkeypatch.setattr("fuseprop_cupy.device.blas.import_cublas", none)
    monkeypatch.setattr(products, "_gemm", lambda: lambda *arguments, out: asked.append((*arguments, out)))
    for _ in range(2):
        made.multiply("a", "b", "out")
    assert asked == ["import", *[("N", "N", "a", "b", "out")] * 2]
    assert made.without == "BackendUnavailable: nvmath-python is not installed."


def test_no_room_for_a_workspace_is_no_reason_to_fail_and_may_pass(library, made, monkeypatch):
    asked, working = [], made._empty
    monkeypatch.setattr(products, "_gemm", lambda: lambda *arguments, out: asked.append(arguments))

    def full(shape, dtype):
        raise MemoryError

    made._empty = full
    made.multiply("a", "b", "out")
    assert asked == [("N", "N", "a", "b")]
    made._empty = working
    multiply(made)
    assert len(asked) == 1
    assert made.without is None


def test_cupys_gemm_takes_these_arguments_and_goes_by_no_compute_type():
    """From its source, for it cannot be imported without cuBLAS."""
    path = Path(find_spec("cupy").origin).with_name("cublas.py")
    (gemm,) = [node for node in ast.parse(path.read_text()).body if getattr(node, "name", "") == "gemm"]
    assert [argument.arg for argument in gemm.args.args][:5] == ["transa", "transb", "a", "b", "out"]
    names = {node.attr for node in ast.walk(gemm) if isinstance(node, ast.Attribute)}
    assert {"sgemm", "dgemm"} <= names
    assert not {name for name in names if "compute" in name or "getenv" in name or "environ" in name}


@pytest.fixture
def unsaid(monkeypatch):
    monkeypatch.setattr(products, "_said", False)


def test_an_override_by_nvidia_is_said_once(unsaid, monkeypatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    HostRunBackend("float64")  # whose products have nothing to do with it
    with pytest.warns(RuntimeWarning, match=r"NVIDIA_TF32_OVERRIDE is '1'.*TF32.*Type: unset NVIDIA_TF32"):
        HostRunBackend("float32")
    HostRunBackend("float32")


@pytest.mark.parametrize("value", [None, "", "0"])
def test_an_override_that_changes_nothing_is_not_said(unsaid, monkeypatch, value):
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    if value is not None:
        monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", value)
    HostRunBackend("float32")


MISREAD = {
    "a host array": (lambda b, m: np.zeros((3, 3), "float32"), TypeError, "array on cuda:0, got ndarray"),
    "another dtype": (lambda b, m: b.zeros((3, 3), np.dtype("float64")), TypeError, "float32, got float64"),
    "every second column": (lambda b, m: b.zeros((3, 6))[:, ::2], ValueError, "C-contiguous"),
    "some columns": (lambda b, m: b.zeros((3, 6))[:, :3], ValueError, "C-contiguous"),
}


@pytest.mark.parametrize("place", ["a", "b", "out"])
@pytest.mark.parametrize("what", MISREAD)
def test_what_cublas_would_misread_is_refused(what, place):
    backend = HostRunBackend("float32")
    make, error, message = MISREAD[what]
    arrays = {name: backend.zeros((3, 3)) for name in ("a", "b", "out")} | {place: make(backend, place)}
    with pytest.raises(error, match=rf"matmul: {place} must be.*{message}"):
        backend.matmul(arrays["a"], arrays["b"], out=arrays["out"])


def test_a_product_into_a_transposed_view_is_refused():
    backend = HostRunBackend("float32")
    a = backend.zeros((2, 3))
    backend.matmul(a, a.T, out=backend.zeros((2, 2)))
    with pytest.raises(ValueError, match="matmul: out must be C-contiguous"):
        backend.matmul(backend.zeros((2, 3)), backend.zeros((3, 4)), out=backend.zeros((4, 2)).T)


def test_a_product_with_an_array_of_another_device_is_refused():
    assert issubclass(HostRunBackend, CupyBackend)
    foreign, here = HostRunBackend("float32", "cuda:1"), HostRunBackend("float32")
    a = here.zeros((2, 2))
    with pytest.raises(TypeError, match="matmul: a must be on cuda:1, got an array on cuda:0"):
        foreign.matmul(a, a, out=a)
