"""No CuPy, or CuPy and no driver: the CPU works, cuda says what is missing, the doctor tells all of it."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from fuseprop_cupy.diagnosis import diagnose
from fuseprop_cupy.probe import probe

from fuseprop.backend import BackendUnavailable

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


def test_what_is_examined_where_everything_is_there(monkeypatch):
    """Names, memory and versions of a healthy machine, by a CuPy that answers like one."""

    properties = {"name": b"Some GPU", "major": 9, "minor": 0}
    runtime = SimpleNamespace(
        driverGetVersion=lambda: 13020,
        runtimeGetVersion=lambda: 13000,
        getDeviceCount=lambda: 2,
        memGetInfo=lambda: (3 << 30, 8 << 30),
        getDeviceProperties=lambda ordinal: properties,
    )
    cuda = SimpleNamespace(runtime=runtime, Device=nullcontext)
    cupy = SimpleNamespace(__version__="14.2.0", cuda=cuda)
    monkeypatch.setattr("fuseprop_cupy.diagnosis.import_cupy", lambda: cupy)
    monkeypatch.setattr("fuseprop_cupy.diagnosis.cupy_wheels", lambda: ["cupy-cuda13x"])
    monkeypatch.setattr("fuseprop_cupy.diagnosis._library", lambda name: f"lib{name}.so.13")
    monkeypatch.setattr("fuseprop_cupy.diagnosis._nvmath", lambda: "1.0.0")
    monkeypatch.setattr("fuseprop_cupy.diagnosis._captured", lambda ordinal: "work")
    monkeypatch.setattr("fuseprop_cupy.diagnosis.ctypes.CDLL", lambda name: None)
    findings = diagnose()
    assert all(finding.ok for finding in findings)
    found = {finding.what: finding.found for finding in findings}
    assert found["driver"] == "CUDA 13.2"
    assert found["cublas"] == "libcublas.so.13"
    assert found["cuda:1"] == "Some GPU, compute capability 9.0, 3.0 of 8.0 GiB free"


def test_two_wheels_are_a_finding(monkeypatch):
    monkeypatch.setattr("fuseprop_cupy.diagnosis.cupy_wheels", lambda: ["cupy-cuda12x", "cupy-cuda13x"])
    wheels = diagnose()[0]
    assert (wheels.found, wheels.ok) == ("cupy-cuda12x, cupy-cuda13x", False)
    assert wheels.fix
