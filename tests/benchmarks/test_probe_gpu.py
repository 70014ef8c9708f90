"""The probe of a GPU, without one: what it says then, which products it takes, and its tables."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import gpu_probes
from benchmarks.gpu_probes import Probes, products
from benchmarks.probe_gpu import main, tables
from fuseprop.backend.registry import load_backend
from fuseprop.benchmarks.device import Stopwatch
from fuseprop.benchmarks.networks import CASES

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
        self.recording = "valid"

    def end_capture(self):
        recording, self.recording = self.recording, None
        if recording != "valid":
            raise RuntimeError("cudaErrorStreamCaptureInvalidated")
        return SimpleNamespace(launch=lambda stream: None, upload=lambda stream: None)


def host_cupy():
    def kernel(code, name):
        assert f"void {name}(" in code
        return SimpleNamespace(kernel=lambda grid, block, arguments, shared, stream: None)

    cuda = SimpleNamespace(
        Stream=Stream,
        Device=lambda: SimpleNamespace(compute_capability="90"),
        function=SimpleNamespace(CIntptr=lambda address: address),
    )
    names = ("ones", "empty", "add", "copyto", "dot", "empty_like")
    return SimpleNamespace(
        cuda=cuda,
        RawKernel=kernel,
        zeros=lambda shape, dtype: np.zeros(shape, dtype).view(OnHost),
        **{name: getattr(np, name) for name in names},
    )


class HostBlas:
    """`fuseprop_cupy.device.blas.Blas`; whose stream is which does not matter here."""

    def __init__(self, dtype, workspace):
        assert dtype == np.float32
        assert workspace.nbytes >= 1 << 20

    def use(self, stream):
        self.stream = stream

    def product(self, a, b, out):
        return lambda: np.dot(a, b, out=out)


def no_blas(dtype, workspace):
    raise ImportError("No module named 'nvmath'")


def probed(monkeypatch, blas):
    monkeypatch.setattr(gpu_probes, "Blas", blas)
    monkeypatch.setattr(gpu_probes, "HOST_CALLS", 2)
    monkeypatch.setattr(gpu_probes, "COPIES", (1024,))
    monkeypatch.setattr(gpu_probes, "products", lambda: {(4, 2, 8): ["2-8-1-b4"]})
    watch = Stopwatch(lambda: None, lambda: None, lambda a, b: 0.5)
    return Probes(load_backend("cpu"), host_cupy(), watch)


def test_every_probe_runs_on_stand_ins(monkeypatch):
    probes = probed(monkeypatch, HostBlas)
    record = probes.record()
    assert probes.stream.recording is None
    assert probes.stream.waits == probes.side.waits > 0  # each fork is joined
    assert {"cupy.dot", "product, own handle", "kernel, by a method of the backend"} <= record["host"].keys()
    assert record["nodes"]["empty kernel"] == pytest.approx(0.5 / 20 / gpu_probes.NODES)
    assert len(record["branches"]) == 4
    assert record["products"][0]["in_graph"]
    assert record["absent"] == {}
    assert "| 4 x 2 x 8 |" in tables(record | {"date": "today", "machine": {"gpu": {}}})


def test_what_was_probed_is_kept_after_each_measurement(monkeypatch):
    probes = probed(monkeypatch, HostBlas)
    kept = []
    whole = probes.record(lambda found: kept.append(json.loads(json.dumps(found))))
    assert kept[-1] == json.loads(json.dumps(whole))
    assert kept[0]["host"]
    assert kept[0]["nodes"] == {} == kept[0]["branches"]
    assert [len(found["products"]) for found in kept] == [0] * (len(kept) - 1) + [1]
    for found in kept:  # each can be shown
        tables(found | {"date": "today", "machine": {"gpu": {}}})


def test_what_fails_in_a_capture_is_what_is_told(monkeypatch):
    probes = probed(monkeypatch, HostBlas)

    def body():
        if probes.stream.recording:
            probes.stream.recording = "invalid"
            raise MemoryError("out of memory")

    with pytest.raises(MemoryError, match="out of memory"):
        probes.graph(body, 1)
    assert probes.stream.recording is None


def test_streams_are_made_on_the_device_that_is_probed(monkeypatch):
    entered = []
    backend = SimpleNamespace(synchronize=lambda: entered.append("device"))
    stream = lambda non_blocking: entered.append("stream")  # noqa: E731
    cupy = SimpleNamespace(cuda=SimpleNamespace(Stream=stream))
    Probes(backend, cupy, None)
    assert entered == ["device", "stream", "stream"]


def test_without_a_handle_of_its_own_the_rest_is_measured(monkeypatch):
    record = probed(monkeypatch, no_blas).record()
    assert "product, own handle" not in record["host"]
    assert len(record["branches"]) == 2
    assert not record["products"][0]["in_graph"]
    assert "nvmath" in next(iter(record["absent"].values()))
