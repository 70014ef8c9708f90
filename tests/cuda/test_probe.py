"""What a backend says where CUDA cannot be used: the cause, and the line to type."""

import os
import re
import subprocess
import sys
import weakref
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from fuseprop_cupy.device import probe as probing
from fuseprop_cupy.device.probe import probe
from fuseprop_cupy.device.wheels import install_instead

from fuseprop.backend import BackendUnavailable, how_to_install

INSTALL = f"Type: {how_to_install('cuda13')} (CUDA 13) or {how_to_install('cuda12')} (older drivers)."


class CUDARuntimeError(RuntimeError):
    """What CuPy raises."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Fake:
    """A CuPy with one healthy device, parts of which a test makes fail."""

    def __init__(self, **changed):
        working = {"count": 1, "driver": 13000, "capability": "90", "run": 42, "product": [[1, 2], [0, 1]]}
        self.parts = working | changed
        self.ndarray = None
        self.sent = []
        self.cuda = SimpleNamespace(
            runtime=SimpleNamespace(
                CUDARuntimeError=CUDARuntimeError,
                getDeviceCount=lambda: self.part("count"),
                driverGetVersion=lambda: self.part("driver"),
                runtimeGetVersion=lambda: 13000,
                getDeviceProperties=lambda i: {"name": b"NVIDIA Example"},
            ),
            Device=self.device,
        )

    def part(self, name):
        if isinstance(self.parts[name], Exception):
            raise self.parts[name]
        return self.parts[name]

    def device(self, ordinal):
        class Current:
            compute_capability = self.parts["capability"]

            def __enter__(self):
                return self

            def __exit__(self, *raised):
                pass

        return Current()

    def empty(self, shape, dtype):
        part = "run" if shape == 1 else "product"

        def get():
            assert all(host() is not None for host in self.sent), "not yet read by an asynchronous copy"
            self.sent.clear()
            return np.atleast_1d(np.array(self.part(part), dtype))

        return SimpleNamespace(set=lambda host: self.sent.append(weakref.ref(host)), get=get)

    def RawModule(self, code):  # noqa: N802
        return SimpleNamespace(get_function=lambda name: lambda grid, block, arguments: self.part("run"))


@pytest.fixture
def fresh(monkeypatch):
    monkeypatch.setattr(probing, "_answers", {})


@pytest.fixture
def fake(fresh, monkeypatch):
    """Put a changed `Fake` in the place of CuPy."""

    def put(**changed):
        cupy = Fake(**changed)
        products = SimpleNamespace(multiply=lambda a, b, out: cupy.part("product"))
        monkeypatch.setattr(probing, "import_cupy", lambda: cupy)
        monkeypatch.setattr(probing, "Products", lambda *arguments: products)

    return put


NO_DRIVER = CUDARuntimeError(35, "cudaErrorInsufficientDriver: CUDA driver version is insufficient")

PROBLEMS = {
    "no driver": ({"count": NO_DRIVER, "driver": 0}, 0, "no NVIDIA driver.*Type: nvidia-smi.*device='cpu'"),
    "an old driver": (
        {"count": NO_DRIVER, "driver": 12040},
        0,
        r"driver \(for CUDA 12.4\) refuses.*built for CUDA 13.0. Update the driver to 580 or newer, or type: "
        + re.escape(install_instead(12)),
    ),
    "a driver older than any CUDA that there is a CuPy for": (
        {"count": NO_DRIVER, "driver": 11040},
        0,
        r"driver \(for CUDA 11.4\) refuses.*Update the driver to 580 or newer; 525 is the oldest",
    ),
    "no device": ({"count": 0}, 0, "finds no GPU.*CUDA_VISIBLE_DEVICES.*nvidia-smi -L"),
    "no device, as CUDA says it": (
        {"count": CUDARuntimeError(100, "cudaErrorNoDevice: no CUDA-capable device is detected")},
        0,
        "finds no GPU.*CUDA_VISIBLE_DEVICES.*nvidia-smi -L",
    ),
    "a driver that does not start": (
        {"count": CUDARuntimeError(3, "cudaErrorInitializationError: initialization error")},
        0,
        r"cannot start \(cudaErrorInitializationError.*Type: nvidia-smi\. .*forked.*spawn",
    ),
    "no such ordinal": ({"count": 2}, 2, r"no cuda:2.*cuda:0 \(NVIDIA Example\), cuda:1 \(NVIDIA Example\)"),
    "an old GPU": ({"capability": "61"}, 0, "compute capability 6.1.*need 7.5 or newer"),
    "no NVRTC": (
        {"run": RuntimeError("libnvrtc is missing\nmore")},
        0,
        r"NVRTC.*libnvrtc is missing\)\. Type: .*pip",
    ),
    "a wrong kernel": ({"run": 41}, 0, "CUDA kernel.*the result is wrong"),
    "no cuBLAS": (
        {"product": ImportError("libcublas is missing")},
        0,
        "cuBLAS.*libcublas is missing.*Type: .*pip",
    ),
    "a wrong product": ({"product": [[1, 1], [1, 1]]}, 0, "cuBLAS.*the result is wrong"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_has_its_cause_and_its_remedy(fake, problem):
    changed, ordinal, message = PROBLEMS[problem]
    fake(**changed)
    with pytest.raises(BackendUnavailable, match=message):
        probe(ordinal)


def test_a_healthy_device_passes(fake):
    fake()
    probe(0)


def test_the_machine_is_asked_once_a_device(fresh, monkeypatch):
    asked = []
    monkeypatch.setattr(probing, "_problem", lambda ordinal: asked.append(ordinal) or "it is broken.")
    for _ in range(3):
        with pytest.raises(BackendUnavailable, match="it is broken"):
            probe(1)
    assert asked == [1]


def test_two_wheels_are_named_before_they_are_imported(fresh, monkeypatch):
    wheels = [SimpleNamespace(name=name) for name in ("numpy", "cupy-cuda12x", "cupy_cuda13x")]
    monkeypatch.setattr("importlib.metadata.distributions", lambda: wheels)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "14.2.0")
    with pytest.raises(
        BackendUnavailable, match=r"two CuPy packages.*pip uninstall -y .*cupy-cuda12x cupy-cuda13x.* && "
    ):
        probe(0)


def run(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_without_cupy_the_package_imports_and_the_backend_says_what_to_install():
    printed = run("""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("cupy", "cupyx", "cupy_backends"):
            raise ImportError(f"no module named {name}")
sys.meta_path.insert(0, Absent())
import fuseprop_cupy, fuseprop
try:
    fuseprop.load_backend("cuda")
except fuseprop.BackendUnavailable as error:
    print(error)
""")
    assert "no module named cupy" in printed
    assert INSTALL in printed


def test_importing_the_package_imports_no_cupy():
    assert run("import sys, fuseprop_cupy; print('cupy' in sys.modules)").strip() == "False"


def test_the_real_probe_is_silent_and_says_the_truth():
    """On this machine, whatever it has: either a backend, or a reason that ends with what to do."""
    printed = run("""
import fuseprop
try:
    print("works on", fuseprop.load_backend("cuda").device)
except fuseprop.BackendUnavailable as error:
    print(error)
""")
    assert any(text in printed for text in ("works on cuda:0", "Type: ", "device='cpu'"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_a_fork_after_cuda_was_used_is_refused():
    printed = run("""
import os
from fuseprop.backend import BackendUnavailable
from fuseprop_cupy.device import probe
probe._answers[0] = None  # as after a probe that found a device
probe.probe(0)
child = os.fork()
if child == 0:
    try:
        probe.probe(0)
    except BackendUnavailable as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
""")
    assert 'set_start_method("spawn")' in printed
    assert "n_jobs=1" in printed


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="only CI must be able to run the whole ladder")
def test_ci_skips_nothing_for_want_of_cupy():
    assert find_spec("cupy") is not None, 'install CuPy: pip install -e ".[test]"'
