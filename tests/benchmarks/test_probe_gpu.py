"""The probe of a GPU, without one: what it says then, which products it takes, and its tables."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import gpu_probes
from benchmarks.cublas import WORKSPACE, Blas
from benchmarks.device import Stopwatch
from benchmarks.gpu_probes import Probes, products
from benchmarks.networks import CASES
from benchmarks.probe_gpu import main, tables
from fuseprop.registry import load_backend

GPU = Path("/dev/nvidia0")


@pytest.mark.skipif(GPU.exists(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_what_is_missing_and_ends_with_2(tmp_path):
    done = CliRunner().invoke(main, ["--output", str(tmp_path / "new")])
    assert done.exit_code == 2
    assert done.output.startswith("cuda cannot be probed: ")
    assert done.output.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_products_are_those_of_the_steps():
    """Each network's products, once each; their work is the network's."""
    found = products()
    for case in CASES.values():
        mine = [shape for shape, networks in found.items() if case.id in networks]
        of_a_step = [(case.batch, d, m) for d, m in case.shapes]
        of_a_step += [(d, case.batch, m) for d, m in case.shapes]
        of_a_step += [(case.batch, m, d) for d, m in case.shapes[1:]]
        assert set(mine) == set(of_a_step)
        assert sum(2 * m * k * n for m, k, n in of_a_step) == case.step_flops
    assert len(found[4096, 4096, 4096]) == 1


def test_tables_of_a_made_up_record():
    text = tables(
        {
            "date": "2026-01-01",
            "machine": {"gpu": {"name": "A GPU"}},
            "host": {"cupy.dot": 7.5e-6},
            "nodes": {"empty kernel": 1.25e-6},
            "branches": {"two empty kernels: both, forked and joined": 2.5e-6},
            "products": [
                {"shape": [128, 784, 128], "networks": ["a", "b"], "seconds": 5e-6, "in_graph": True},
                {"shape": [4, 2, 8], "networks": ["c"], "seconds": 8e-6, "in_graph": False},
            ],
            "copies": [{"bytes": 2**30, "seconds": 5e-4}],
            "absent": {"own cuBLAS handle": "No module named 'nvmath'"},
        }
    )
    assert "A GPU, 2026-01-01." in text
    assert "| cupy.dot | 7.50 |" in text
    assert "| 128 x 784 x 128 | 5.00 | 5.14 | a, b |" in text
    assert "| 4 x 2 x 8 | 8.00, called by the host | 0.0000160 | c |" in text
    assert "| 1024 MiB | 500 | 4,290 |" in text
    assert "Absent: own cuBLAS handle: No module named 'nvmath'." in text


class OnHost(np.ndarray):
    """An array whose address is found as CuPy's is."""

    @property
    def data(self):
        return SimpleNamespace(ptr=self.ctypes.data)


class Stream:
    """Everything happens at once; a graph is what was handed over between its two ends."""

    ptr = 0

    def __init__(self, *, non_blocking):
        assert non_blocking
        self.recording, self.waits = None, 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def synchronize(self):
        pass

    def record(self):
        return self

    def wait_event(self, event):
        assert event is not self
        self.waits += 1

    def begin_capture(self):
        assert self.recording is None
        self.recording = True

    def end_capture(self):
        self.recording = None
        return SimpleNamespace(launch=lambda stream: None, upload=lambda stream: None)


def host_cupy():
    def made(function):
        return lambda shape, dtype: function(shape, dtype).view(OnHost)

    def kernel(code, name):
        assert f"void {name}(" in code
        return SimpleNamespace(kernel=lambda grid, block, arguments, shared, stream: None)

    cuda = SimpleNamespace(
        Stream=Stream, alloc=lambda size: SimpleNamespace(ptr=size), function=SimpleNamespace(CIntptr=int)
    )
    arrays = {name: made(getattr(np, name)) for name in ("ones", "zeros")}
    calls = {name: getattr(np, name) for name in ("add", "copyto", "dot", "empty_like")}
    return SimpleNamespace(cuda=cuda, RawKernel=kernel, **arrays, **calls)


class HostCublas:
    """`nvmath.bindings.cublas` on host memory: column-major, as cuBLAS is."""

    Operation = SimpleNamespace(N=0)

    def __init__(self):
        self.workspace = None

    def create(self):
        return 7

    def set_stream(self, handle, stream):
        self.workspace = None

    def set_workspace(self, handle, address, size):
        self.workspace = size

    def sgemm(self, handle, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        assert (handle, ta, tb, self.workspace) == (7, 0, 0, WORKSPACE)

        def matrix(address, rows, columns, leading):
            assert leading >= rows
            values = np.ctypeslib.as_array(
                (np.ctypeslib.ctypes.c_float * (leading * columns)).from_address(address)
            )
            return values.reshape(columns, leading).T[:rows]

        (one,), (zero,) = (matrix(address, 1, 1, 1)[0] for address in (alpha, beta))
        out = matrix(c, m, n, ldc)
        out[...] = one * (matrix(a, m, k, lda) @ matrix(b, k, n, ldb)) + zero * out


@pytest.fixture
def cublas(monkeypatch):
    library = HostCublas()
    bindings = ModuleType("nvmath.bindings")
    bindings.cublas = library
    monkeypatch.setitem(sys.modules, "nvmath", ModuleType("nvmath"))
    monkeypatch.setitem(sys.modules, "nvmath.bindings", bindings)
    return library


def test_products_of_the_own_handle_are_row_major(cublas):
    cupy, rng = host_cupy(), np.random.default_rng(0)
    blas = Blas(cupy)
    blas.use(Stream(non_blocking=True))
    a, b = (rng.normal(size=s).astype(np.float32).view(OnHost) for s in ((3, 5), (5, 4)))
    out = cupy.zeros((3, 4), np.float32)
    blas.product(a, b, out)()
    np.testing.assert_allclose(out, np.asarray(a) @ np.asarray(b), rtol=1e-6)


def probed(monkeypatch):
    monkeypatch.setattr(gpu_probes, "HOST_CALLS", 2)
    monkeypatch.setattr(gpu_probes, "COPIES", (1024,))
    monkeypatch.setattr(gpu_probes, "products", lambda: {(4, 2, 8): ["2-8-1-b4"]})
    watch = Stopwatch(lambda: None, lambda: None, lambda a, b: 0.5)
    return Probes(load_backend("cpu"), host_cupy(), watch)


def test_every_probe_runs_on_stand_ins(monkeypatch, cublas):
    probes = probed(monkeypatch)
    record = probes.record()
    assert probes.stream.recording is None
    assert probes.stream.waits == probes.side.waits > 0  # each fork is joined
    assert {"cupy.dot", "product, own handle", "kernel, by a method of the backend"} <= record["host"].keys()
    assert record["nodes"]["empty kernel"] == pytest.approx(0.5 / 20 / gpu_probes.NODES)
    assert len(record["branches"]) == 4
    assert record["products"][0]["in_graph"]
    assert record["absent"] == {}
    assert "| 4 x 2 x 8 |" in tables(record | {"date": "today", "machine": {"gpu": {}}})


def test_without_a_handle_of_its_own_the_rest_is_measured(monkeypatch):
    monkeypatch.setitem(sys.modules, "nvmath", None)
    record = probed(monkeypatch).record()
    assert "product, own handle" not in record["host"]
    assert len(record["branches"]) == 2
    assert not record["products"][0]["in_graph"]
    assert "nvmath" in next(iter(record["absent"].values()))
