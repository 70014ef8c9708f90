"""No CuPy, or CuPy and no driver: the CPU works, cuda says what is missing, the doctor tells all of it."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from fuseprop_cupy.device.probe import probe
from fuseprop_cupy.diagnosis import _cublas_found, diagnose

from fuseprop.backend import BackendUnavailable, how_to_install

BLOCKED = """
import importlib.metadata, sys
sys.modules['cupy'] = None
found = importlib.metadata.distributions
importlib.metadata.distributions = lambda: (d for d in found() if not d.name.lower().startswith('cupy'))
"""


def command(*arguments, blocked, variables=()):
    """Run the command in a process of its own, with CuPy made absent if `blocked`."""
    script = (BLOCKED if blocked else "") + f"from fuseprop.cli import main; main({list(arguments)!r})"
    environment = {key: value for key, value in os.environ.items() if key != "FUSEPROP_DEVICE"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=environment | dict(variables),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(params=["CuPy absent", "CuPy and no driver"])
def blocked(request):
    """Whether CuPy is made absent; otherwise it must be installed, on a machine without a GPU."""
    if request.param == "CuPy absent":
        return True
    pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')
    try:
        probe(0)
    except BackendUnavailable:
        return False
    pytest.skip("this machine has a GPU")


TRAIN = ("train", "xor", "--epochs", "2")


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_cuda_is_refused_with_cause_and_remedy(blocked, device):
    done = command(*TRAIN, "--device", device, blocked=blocked)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(
        "Error: CuPy is not installed" if blocked else "Error: no NVIDIA driver was found"
    )
    assert "Type: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_variable_names_a_device_too(blocked):
    assert command(*TRAIN, blocked=blocked, variables=[("FUSEPROP_DEVICE", "cuda")]).returncode == 3
    done = command(*TRAIN, "--device", "cpu", blocked=blocked, variables=[("FUSEPROP_DEVICE", "cuda")])
    assert done.returncode == 0


def test_auto_takes_the_cpu_and_says_why(blocked):
    done = command(*TRAIN, "--json", blocked=blocked)
    assert done.returncode == 0
    assert json.loads(done.stdout)["device"] == "cpu"
    why = "CuPy is not installed" if blocked else "no NVIDIA driver was found"
    assert done.stderr.count(f'"auto" takes cpu (numpy): cuda cannot be used: {why}') == 1


def test_the_doctor_tells(blocked):
    report = json.loads(command("doctor", "--json", blocked=blocked).stdout)
    found = {finding["what"]: finding for finding in report["sections"]["cupy"]}
    assert not found["driver library"]["ok"]
    assert found["driver library"]["fix"]
    assert found["CuPy"]["ok"] is not blocked
    if not blocked:
        assert not found["GPUs"]["ok"]
        assert found["nvrtc"]["ok"]
    assert report["works"]
    assert "A GPU cannot: " in report["verdict"]


@pytest.fixture
def healthy(monkeypatch):
    """A machine on which everything is there, by a CuPy that answers so; a test may change some of it."""
    properties = {"name": b"Some GPU", "major": 9, "minor": 0}
    machine = SimpleNamespace(driver=13020, cublas="13.4.3", versions={"nvmath-python": "1.0.0"}, reach=True)
    runtime = SimpleNamespace(
        driverGetVersion=lambda: machine.driver,
        runtimeGetVersion=lambda: 13000,
        getDeviceCount=lambda: 2,
        memGetInfo=lambda: (3 << 30, 8 << 30),
        getDeviceProperties=lambda ordinal: properties,
        deviceCanAccessPeer=lambda a, b: machine.reach,
    )
    cuda = SimpleNamespace(runtime=runtime, Device=nullcontext)
    cupy = SimpleNamespace(__version__="14.2.0", cuda=cuda)
    module = "fuseprop_cupy.diagnosis"
    monkeypatch.setattr(f"{module}.import_cupy", lambda: cupy)
    monkeypatch.setattr(f"{module}._library", lambda name: f"lib{name}.so.13")
    monkeypatch.setattr(f"{module}._cublas_found", lambda: ("libcublas.so.13", machine.cublas))
    monkeypatch.setattr(f"{module}._nvmath", lambda: "1.0.0")
    monkeypatch.setattr(f"{module}.library", lambda: SimpleNamespace(get_version=lambda: 23203))
    monkeypatch.setattr(f"{module}._captured", lambda ordinal: "work")
    monkeypatch.setattr(f"{module}.ctypes.CDLL", lambda name: None)
    monkeypatch.setattr("fuseprop_cupy.device.wheels.driver", lambda: machine.driver)
    monkeypatch.setattr("fuseprop_cupy.device.wheels.installed", lambda names: machine.versions)
    for where in (module, "fuseprop_cupy.device.wheels"):
        monkeypatch.setattr(f"{where}.cupy_wheels", lambda: ["cupy-cuda13x"])
    for name in ("NVIDIA_TF32_OVERRIDE", "CUPY_TF32"):
        monkeypatch.delenv(name, raising=False)
    return machine


def findings():
    return {finding.what: finding for finding in diagnose()}


def test_what_is_examined_where_everything_is_there(healthy):
    assert all(finding.ok for finding in findings().values())
    found = {what: finding.found for what, finding in findings().items()}
    assert found["driver"] == "CUDA 13.2; what is installed for CUDA 13 needs 580 or newer"
    assert found["cublas"] == "libcublas.so.13, 13.4.3"
    assert found["float32 products"] == "strict"
    assert found["cuda:1"] == "Some GPU, compute capability 9.0, 3.0 of 8.0 GiB free"
    assert found["NCCL"] == "2.32.3"
    assert found["between GPUs"] == "all reach each other's memory"
    assert "versions" not in found


def test_gpus_that_are_apart_and_no_nccl_are_no_faults(healthy, monkeypatch):
    """One GPU needs neither."""

    def missing():
        raise BackendUnavailable("it is not there. Type: pip install it.")

    healthy.reach = False
    monkeypatch.setattr("fuseprop_cupy.diagnosis.library", missing)
    found = findings()
    assert all(finding.ok for finding in found.values())
    assert found["between GPUs"].found == "by way of the host: cuda:0 and cuda:1"
    assert found["NCCL"].found == "none, which one GPU does not need: it is not there. Type: pip install it."


def test_a_driver_that_is_too_old_for_what_is_installed(healthy):
    healthy.driver = 12040
    driver = findings()["driver"]
    assert not driver.ok
    assert driver.found.startswith(
        "CUDA 12.4, older than the libraries, of CUDA 13.0. Update the driver to 580 or newer, or type: "
    )
    assert driver.found.endswith(how_to_install("cuda12"))


def test_the_oldest_driver_is_told_where_there_is_none(healthy):
    healthy.driver = 0
    driver = findings()["driver"]
    assert not driver.ok
    assert driver.found.endswith("what is installed for CUDA 13 needs 580 or newer")


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("13.10.0", "libcublas.so.13, 13.10.0 instead of >=13,<13.5"),
        ("12.9.2", "libcublas.so.13, 12.9.2, beside CuPy for CUDA 13"),
    ],
)
def test_another_cublas_is_a_finding_whatever_brought_it(healthy, version, found):
    healthy.cublas = version
    cublas = findings()["cublas"]
    assert (cublas.ok, cublas.found) == (False, found)
    assert cublas.fix.endswith(how_to_install("cuda13"))


def test_packages_beyond_their_bounds_are_a_finding(healthy):
    healthy.versions = {"nvidia-cublas": "13.10.0.20", "nvmath-python": "1.0.0"}
    versions = findings()["versions"]
    assert (versions.ok, versions.found) == (False, "nvidia-cublas 13.10.0.20 instead of >=13,<13.5")
    assert " uninstall -y nvidia-cublas && " in versions.fix


def test_products_that_are_not_strict_are_a_finding(healthy, monkeypatch):
    monkeypatch.setenv("CUPY_TF32", "1")
    assert findings()["float32 products"].found == "strict; CUPY_TF32=1 is not heeded"
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    products = findings()["float32 products"]
    assert (products.ok, products.found) == (False, "rounded to TF32, because NVIDIA_TF32_OVERRIDE is '1'")
    assert products.fix == "unset NVIDIA_TF32_OVERRIDE"


def test_the_version_of_cublas_is_what_it_says_itself(monkeypatch):
    pathfinder = pytest.importorskip("cuda.pathfinder", reason='needs CuPy: pip install -e ".[test]"')
    found = SimpleNamespace(abs_path="/somewhere/libcublas.so.13")

    class Library:
        def __init__(self, path):
            assert path == found.abs_path

        def cublasGetProperty(self, part, number):  # noqa: N802
            number._obj.value = (13, 4, 3)[part]

    monkeypatch.setattr(pathfinder, "load_nvidia_dynamic_lib", lambda name: found)
    monkeypatch.setattr("fuseprop_cupy.diagnosis.ctypes.CDLL", Library)
    assert _cublas_found() == ("libcublas.so.13", "13.4.3")


def test_two_wheels_are_a_finding(monkeypatch):
    monkeypatch.setattr("fuseprop_cupy.diagnosis.cupy_wheels", lambda: ["cupy-cuda12x", "cupy-cuda13x"])
    wheels = diagnose()[0]
    assert (wheels.found, wheels.ok) == ("cupy-cuda12x, cupy-cuda13x", False)
    assert wheels.fix
