"""A pytest plugin that measures on any backend: the fixture `timed`, and a saved run that names its machine.

A suite of benchmarks of one's own takes it in its top `conftest.py`::

    # conftest.py
    pytest_plugins = ["fuseprop.benchmarks.fixtures"]

    # test_mine.py
    import numpy as np

    from fuseprop.formulas import as_activation


    def test_relu(timed, backend):
        z, bias = backend.from_host(np.ones((128, 512))), backend.from_host(np.zeros(512))
        out, relu = backend.empty((128, 512)), as_activation("relu").formula
        timed(lambda: backend.bias_activation(z, bias, relu, out=out), group="relu", samples=128)

It builds on pytest-benchmark, whose options all work (``pytest --benchmark-json=mine.json``), and brings
`fuseprop.testing`: its fixtures `backend` and `backend64` and its option ``--backends=numpy,cupy``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from .. import __version__
from ..backend import AnyBackend
from ..installing import how_to_install
from .device import PeakMemory, device_seconds
from .machine import describe

pytest_plugins = ["fuseprop.testing"]

Timed = Callable[..., None]
"""What the fixture `timed` returns."""

MACHINE = pytest.StashKey[dict[str, Any]]()
"""The machine as it is before any test: libraries that tests bring have a BLAS of their own, with threads."""


def pytest_addoption() -> None:
    """Refuse to go on without pytest-benchmark; here, before its own options are found to be unknown."""
    if find_spec("pytest_benchmark") is None:
        raise pytest.UsageError(
            f"fuseprop.benchmarks needs pytest-benchmark, which is not installed. "
            f"Type: {how_to_install('benchmarks')}"
        )


def pytest_configure(config: pytest.Config) -> None:
    """Look at the machine."""
    config.stash[MACHINE] = describe()


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Add cores, BLAS and its threads, GPU, driver, CUDA, CuPy, and the versions of fuseprop and NumPy.

    The CPU stands there already, with all its flags; "cpu_name" is what it is called, as in all our records.
    What its clock happens to do goes, so that two runs on one machine are of the same machine, and so does
    the name of the host.
    """
    found = config.stash[MACHINE]
    machine_info.update({key: value for key, value in found.items() if key not in machine_info})
    machine_info.update({"cpu_name": found["cpu"], "fuseprop": __version__})
    machine_info.pop("node", None)
    for key in [key for key in machine_info["cpu"] if key.startswith("hz_actual")]:
        del machine_info["cpu"][key]


@pytest.fixture
def timed(benchmark: Any, backend: AnyBackend) -> Iterator[Timed]:
    """Return timed(call, group=..., samples=..., flops=..., moved=...), which times one call.

    The call is made once before, so that kernels are compiled and caches full, and the device is waited for
    inside what is timed. `extra_info` receives backend, device and dtype, and of one call: samples, flops and
    bytes, and each of them a second; peak_memory, the bytes of arrays from the test's start to the end of the
    warm-up; on a GPU device_time, the seconds between two events around the call; of the backend, replay,
    such as "compiled".
    """
    memory = PeakMemory(backend)

    def time(
        call: Callable[[], object], *, group: str, samples: int = 0, flops: int = 0, moved: int = 0
    ) -> None:
        def call_and_wait() -> None:
            call()
            backend.synchronize()

        call_and_wait()
        info: dict[str, Any] = {
            "backend": backend.name,
            "dtype": str(backend.dtype),
            "device": backend.device,
            "peak_memory": memory.stop(),
        }
        if hasattr(backend, "replay"):
            info["replay"] = backend.replay
        counts = {name: n for name, n in (("samples", samples), ("flops", flops), ("bytes", moved)) if n}
        benchmark.group = group
        benchmark.extra_info.update(info | counts)
        seconds = device_seconds(backend, call)
        if seconds is not None:
            benchmark.extra_info["device_time"] = seconds
        benchmark(call_and_wait)
        if benchmark.stats is not None:  # None under --benchmark-disable
            median = benchmark.stats.stats.median
            benchmark.extra_info.update({f"{name}_per_second": n / median for name, n in counts.items()})

    yield time
    memory.stop()
