"""What single launches, graph nodes, products and copies take on a GPU: the numbers that estimates stand on.

Everything runs on one stream of its own. `record` returns one dictionary of seconds, which `probe_gpu.py`
writes and prints.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Any

import numpy as np
from fuseprop_cupy.device.blas import Blas, workspace_bytes

from fuseprop.backend import AnyBackend
from fuseprop.benchmarks.device import Stopwatch
from fuseprop.benchmarks.networks import CASES

NOP = 'extern "C" __global__ void nop(const float* a, const float* b, float* out, long long n) {}'
HOST_CALLS, NODES, WARM_UP = 1000, 200, 20
"""Few enough calls that a GPU's queue does not fill up; nodes of a graph; calls before any clock starts."""

SECONDS = 0.05
"""How long a product or a copy is repeated."""

COPIES = tuple(1 << power for power in (16, 20, 24, 28, 30))
Call = Callable[[], object]
Product = tuple[int, int, int]


def products() -> dict[Product, list[str]]:
    """Return every (m, k, n) of (m, k) times (k, n) in the suite's steps, with the networks that have it."""
    found: dict[Product, list[str]] = {}
    for case in CASES.values():
        for i, (d, m) in enumerate(case.shapes):
            shapes = [(case.batch, d, m), (d, case.batch, m), *([(case.batch, m, d)] if i else [])]
            for shape in shapes:
                networks = found.setdefault(shape, [])
                if case.id not in networks:
                    networks.append(case.id)
    return found


class Probes:
    """The measurements, on one device."""

    def __init__(self, backend: AnyBackend, cupy: Any, watch: Stopwatch) -> None:
        self.backend, self.cupy, self.watch = backend, cupy, watch
        backend.synchronize()  # which makes its device current: streams are of the device that is
        self.stream, self.side = (cupy.cuda.Stream(non_blocking=True) for _ in range(2))
        self.absent: dict[str, str] = {}
        self.blas, self.blas_aside = self._handle(), self._handle()

    def _handle(self) -> Blas | None:
        try:
            capability = int(self.cupy.cuda.Device().compute_capability)
            workspace = self.cupy.empty(workspace_bytes(capability), np.uint8)
            return Blas(np.dtype(np.float32), workspace)
        except Exception as error:
            # nvmath reports what it misses in its own many types.
            why = (str(error).splitlines() or [type(error).__name__])[0]
            self.absent["own cuBLAS handle (pip install nvmath-python)"] = why
            return None

    def record(self, keep: Callable[[dict[str, Any]], object] = len) -> dict[str, Any]:
        """Measure everything; `keep` is given what is known after each measurement, the rest being empty."""
        found: dict[str, Any] = {"host": {}, "nodes": {}, "branches": {}, "products": [], "copies": []}
        found["absent"] = self.absent
        with self.stream:
            if self.blas is not None and self.blas_aside is not None:
                self.blas.use(self.stream.ptr)
                self.blas_aside.use(self.side.ptr)
            for name, measure in (("host", self.host), ("nodes", self.nodes), ("branches", self.branches)):
                found[name] = measure()
                keep(found)
            for size in COPIES:
                found["copies"].append(self.copy(size))
                keep(found)
            for shape, networks in products().items():
                found["products"].append(self.product(shape, networks))
                keep(found)
        return found

    def host(self) -> dict[str, float]:
        """Return the seconds until a call has been handed over."""
        a, b, out = (self.cupy.ones((128, 128), np.float32) for _ in range(3))
        cursor = self.backend.zeros((1,), np.dtype(np.int64))
        calls: dict[str, Call] = {
            "kernel, arguments prepared": self.nop(),
            "kernel, by a method of the backend": lambda: self.backend.advance(cursor, 1),
            "cupy.dot": lambda: self.cupy.dot(a, b, out=out),
            "cupy.add": lambda: self.cupy.add(a, b, out=out),
        }
        if self.blas is not None:
            calls["product, own handle"] = self.blas.product(a, b, out)
        return {name: self.host_seconds(call) for name, call in calls.items()}

    def nodes(self) -> dict[str, float]:
        """Return the GPU's seconds for one of many nodes in a row, and the host's for a graph of them."""
        a, b, out = (self.cupy.ones((128, 128), np.float32) for _ in range(3))
        bodies = {"empty kernel": self.nop()}
        if self.blas is not None:
            bodies["product 128 x 128 x 128"] = self.blas.product(a, b, out)
        found = {}
        for name, body in bodies.items():
            launch = self.graph(body, NODES)
            found[name] = self.device_seconds(launch, 20) / NODES
            found[f"host, a graph of {NODES}: {name}"] = self.host_seconds(launch, 50)
        return found

    def product(self, shape: Product, networks: list[str]) -> dict[str, Any]:
        """Return the GPU's seconds for a product: in a graph with a handle of our own, else called."""
        m, k, n = shape
        a, b, out = (self.cupy.ones(s, np.float32) for s in ((m, k), (k, n), (m, n)))
        if self.blas is not None:
            call, in_graph = self.graph(self.blas.product(a, b, out), 10), 10
        else:
            call, in_graph = (lambda: self.cupy.dot(a, b, out=out)), 0
        seconds = self.device_seconds(call) / max(1, in_graph)
        return {"shape": list(shape), "networks": networks, "seconds": seconds, "in_graph": bool(in_graph)}

    def copy(self, size: int) -> dict[str, Any]:
        """Return the GPU's seconds for copying so many bytes: as many are read as written."""
        source = self.cupy.ones(size // 4, np.float32)
        target = self.cupy.empty_like(source)
        seconds = self.device_seconds(lambda: self.cupy.copyto(target, source))
        return {"bytes": size, "seconds": seconds}

    def branches(self) -> dict[str, float]:
        """Return the GPU's seconds for two nodes in a row, and on two branches that fork and join."""
        pairs = {"two empty kernels": (self.nop(), self.nop(self.side))}
        if self.blas is not None and self.blas_aside is not None:
            x, delta, w, dw, dx = (
                self.cupy.ones(s, np.float32)
                for s in ((512, 128), (128, 512), (512, 512), (512, 512), (128, 512))
            )
            pairs["gradients of 512 x 512, batch 128"] = (
                self.blas.product(x, delta, dw),
                self.blas_aside.product(delta, w, dx),
            )
        found = {}
        for name, (first, second) in pairs.items():

            def forked(first: Call = first, second: Call = second) -> None:
                self.side.wait_event(self.stream.record())
                second()
                first()
                self.stream.wait_event(self.side.record())

            one_alone = self.device_seconds(self.graph(first, NODES), 20) / NODES
            found[f"{name}: the first alone"] = one_alone
            found[f"{name}: both, forked and joined"] = (
                self.device_seconds(self.graph(forked, NODES), 20) / NODES
            )
        return found

    def nop(self, stream: Any = None) -> Call:
        """Return what launches a kernel that does nothing, as cheaply as CuPy can."""
        pointer = self.cupy.cuda.function.CIntptr
        arrays = [self.cupy.zeros(1, np.float32) for _ in range(3)]
        arguments = (*(pointer(array.data.ptr) for array in arrays), np.int64(1))
        kernel, on = self.cupy.RawKernel(NOP, "nop").kernel, stream or self.stream

        def launch() -> None:
            kernel((1,), (128,), arguments, 0, on)

        launch.keep = arrays  # type: ignore[attr-defined]
        return launch

    def graph(self, body: Call, times: int) -> Call:
        """Return what launches a graph of so many bodies."""
        body()
        self.stream.synchronize()
        self.stream.begin_capture()
        try:
            for _ in range(times):
                body()
        except BaseException:
            with suppress(RuntimeError):  # it says that the capture is invalid, and hides why
                self.stream.end_capture()
            raise
        made = self.stream.end_capture()
        made.upload(self.stream)
        return lambda: made.launch(self.stream)

    def host_seconds(self, call: Call, times: int = HOST_CALLS) -> float:
        """Return the seconds until a call returns, the queue being empty at first."""
        for _ in range(WARM_UP):
            call()
        self.watch.wait()
        start = perf_counter()
        for _ in range(times):
            call()
        seconds = (perf_counter() - start) / times
        self.watch.wait()
        return seconds

    def device_seconds(self, call: Call, times: int | None = None) -> float:
        """Return the GPU's seconds for a call, between two marks around as many as last SECONDS."""
        if times is None:
            times = max(3, min(1000, int(SECONDS / self.device_seconds(call, 3))))
        for _ in range(3):
            call()
        return self.watch.seconds(call, times)
