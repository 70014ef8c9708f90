"""The suite's settings for pytest-benchmark, what it knows of the machine, and the fixture `timed`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fuseprop.benchmarks.device import PeakMemory, device_seconds
from fuseprop.benchmarks.machine import describe

MACHINE = describe()
"""As it is before any test: libraries that tests bring have a BLAS of their own, with more threads."""

DEFAULTS = {"max_time": 0.4, "min_rounds": 3}
"""For two cores: the whole suite stays well under 10 minutes. The command line goes before."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Set what the command line does not."""
    given = " ".join(map(str, config.invocation_params.args))
    for name, value in DEFAULTS.items():
        if f"--benchmark-{name.replace('_', '-')}" not in given:
            setattr(config.option, f"benchmark_{name}", value)


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Add cores, BLAS and its threads, GPU, driver, CUDA, CuPy; the CPU itself stands there already.

    What its clock happens to do goes: two runs on one machine are of the same machine.
    """
    machine_info.update({key: value for key, value in MACHINE.items() if key not in machine_info})
    for key in [key for key in machine_info["cpu"] if key.startswith("hz_actual")]:
        del machine_info["cpu"][key]


@pytest.fixture
def timed(benchmark: Any, backend: Any) -> Any:
    """Return timed(call, group=..., samples=..., flops=..., moved=...), which times one call.

    The call is made once before, so that kernels are compiled and caches full, and the device is waited for
    inside what is timed. `extra_info` receives, of one call: samples, flops and bytes, and each of them a
    second; peak_memory, the bytes of arrays from the test's start to the end of the warm-up; on a GPU
    device_time, the seconds between two events around the call; of the backend, replay, such as "compiled".
    """
    memory = PeakMemory(backend)

    def time(
        call: Callable[[], object], *, group: str, samples: int = 0, flops: int = 0, moved: int = 0
    ) -> None:
        def call_and_wait() -> None:
            call()
            backend.synchronize()

        call_and_wait()
        info = {"dtype": str(backend.dtype), "device": backend.device, "peak_memory": memory.stop()}
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
