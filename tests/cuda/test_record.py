"""The record of a GPU, made on a machine that has none: the host-run backend stands where the GPU would."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import record_hardware
from fuseprop_cupy.catalog import KERNELS, kernels
from host_compiler import read
from host_device import HostRunBackend
from host_kernels import HostKernels
from kernel_errors import PRODUCT, Measurement
from train_tiny import TASKS, train
from verification import RESULTS, records, source_hashes, unverified

FACTS = {"gpu": "no GPU: kernels run by the host compiler, in a test"}
TESTS = {"passed": 3, "failed": 0, "skipped": 0, "failures": [], "exit": 0}


@pytest.fixture(scope="module")
def recorded():
    """A record of the host-run backend in both dtypes."""
    backends = [HostRunBackend(dtype) for dtype in ("float32", "float64")]
    verdicts = dict.fromkeys(record_hardware.TOOLS, "absent")
    return record_hardware.make_record(FACTS, backends, TESTS, verdicts)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kernel_has_an_error_and_none_is_large(recorded, dtype):
    errors = recorded["errors"][dtype]
    assert errors.keys() == {*kernels(np.dtype(dtype)), PRODUCT}
    assert max(error["eps"] for error in errors.values()) < 100
    for name in (name for name in errors if "bias_activation" in name and ("Tanh" in name or "Sigm" in name)):
        assert 0 < errors[name]["ulp"] <= 4


def test_an_inexact_kernel_has_the_larger_error():
    changed = {"losses.cu": read("losses.cu").replace("error = y - t;", "error = T(1.0001) * (y - t);")}
    built = HostKernels(kernels(np.dtype("float32")), changed)
    measurement = Measurement(HostRunBackend("float32", built=built))
    measurement.everything(33, 5, np.random.default_rng(0))
    large = {name for name, error in measurement.errors.items() if error["eps"] > 500}
    assert large == {"squared_error<float>", "absolute_error<float>"}


def test_a_record_is_written_and_read_back(recorded, tmp_path):
    path = record_hardware.write(recorded, tmp_path)
    assert path.parent == tmp_path != RESULTS
    assert records(tmp_path) == [json.loads(path.read_text())] == [recorded]
    assert recorded["verdict"] == "passed"
    assert unverified(source_hashes(), records(tmp_path)) == []


@pytest.mark.parametrize(
    ("tests", "verdict"),
    [
        ({"failed": 1, "exit": 1}, "clean"),
        ({"passed": 0}, "clean"),
        ({}, "errors: exit 86: out of bounds"),
    ],
)
def test_a_record_that_did_not_pass_verifies_nothing(tests, verdict, monkeypatch):
    monkeypatch.setattr("kernel_errors.kernel_errors", lambda backend: {})
    made = record_hardware.make_record(FACTS, [], TESTS | tests, {"memcheck": verdict})
    assert made["verdict"] == "failed"
    assert all(line.endswith("never verified on hardware") for line in unverified(source_hashes(), [made]))


def test_a_record_without_captured_steps_says_why_and_has_not_passed(monkeypatch):
    monkeypatch.setattr("kernel_errors.kernel_errors", lambda backend: {})
    backend = HostRunBackend("float32")
    monkeypatch.setattr(backend.seam, "lanes", lambda: 1 / 0)
    made = record_hardware.make_record(FACTS, [backend], TESTS, {})
    assert made["verdict"] == "failed"
    assert "ZeroDivisionError" in made["captured_steps"]["float32"]


def test_a_changed_source_is_unverified_since_the_last_record_that_passed():
    hashes = source_hashes()
    old = {"date": "2026-01-01", "verdict": "passed", "sources": hashes | {"losses.cu": "other"}}
    failed = {"date": "2026-02-02", "verdict": "failed", "sources": hashes}
    assert unverified(hashes, [old, failed]) == ["losses.cu: unverified on hardware since 2026-01-01"]
    assert unverified(hashes, []) == [f"{file}: never verified on hardware" for file in hashes]
    assert hashes.keys() == {path.name for path in KERNELS.glob("*.cu")}


def test_tests_are_counted_and_the_checkout_is_found(tmp_path):
    """By another pytest, which finds the backends by their entry points."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "from importlib.metadata import entry_points\n"
        "def test_passes(): assert any(p.name == 'cupy' for p in entry_points(group='fuseprop.backends'))\n"
        "def test_fails(): assert False\n"
        "def test_is_skipped(): pytest.skip()\n"
    )
    env = record_hardware.environment(tmp_path)
    counted = record_hardware.run_tests(tmp_path, env, [str(tmp_path / "test_it.py")])
    assert [counted[kind] for kind in ("passed", "failed", "skipped", "exit")] == [1, 1, 1, 1]
    assert [name.rpartition("::")[2] for name in counted["failures"]] == ["test_fails"]


def test_without_an_installation_the_checkout_brings_its_entry_points(tmp_path, monkeypatch):
    monkeypatch.setattr(record_hardware, "entry_points", lambda group: [])
    env = record_hardware.environment(tmp_path)
    (metadata,) = tmp_path.glob("fuseprop-*.dist-info/entry_points.txt")
    assert "[fuseprop.backends]\nnumpy = fuseprop_numpy:NumpyBackend\ncupy = " in metadata.read_text()
    script = (
        "from importlib.metadata import entry_points; print(*entry_points(group='fuseprop.backends').names)"
    )
    isolated = [sys.executable, "-S", "-c", script]  # without site-packages
    done = subprocess.run(isolated, env=env, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"cupy", "numpy"}


FAKE = """#!{python}
import sys
assert sys.argv[1] == "--tool" and sys.argv[3] == "--error-exitcode", sys.argv
print("{said}")
sys.exit({status})
"""


@pytest.mark.parametrize(
    ("said", "status", "verdict"),
    [
        ("ERROR SUMMARY: 0 errors", 0, "clean"),
        ("RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)", 0, "clean"),
        ("ERROR SUMMARY: 3 errors", 86, "errors: exit 86: ERROR SUMMARY: 3 errors"),
        ("Error: Device not supported", 1, "did not run: exit 1: Error: Device not supported"),
    ],
)
def test_what_compute_sanitizer_says(said, status, verdict, tmp_path):
    tool = tmp_path / "compute-sanitizer"
    tool.write_text(FAKE.format(python=sys.executable, said=said, status=status))
    tool.chmod(0o755)
    env = {**os.environ, "PATH": str(tmp_path)}
    assert record_hardware.sanitize("memcheck", env, "program.py") == verdict


def test_a_tool_that_is_not_there_is_absent(tmp_path):
    assert record_hardware.sanitize("memcheck", {"PATH": str(tmp_path)}, "program.py") == "absent"


def test_the_program_that_compute_sanitizer_watches_trains():
    backend = HostRunBackend("float32")
    assert train(backend).keys() == TASKS.keys()


def test_without_a_gpu_nothing_is_recorded(monkeypatch, capsys):
    monkeypatch.setattr(record_hardware, "write", lambda record, folder: pytest.fail("it was"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("fuseprop_cupy.device.probe", no_gpu)
    with pytest.raises(SystemExit) as stopped:
        record_hardware.main()
    assert stopped.value.code == 3
    assert "Nothing was recorded: no driver" in capsys.readouterr().err


def no_gpu(ordinal):
    from fuseprop.backend import BackendUnavailable

    raise BackendUnavailable("no driver")
