"""The suite runs: once each and untimed here, on the small networks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*options):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "benchmarks",
        "--backends=numpy",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def test_smoke():
    small = "2-8-1 or 64-32 or 64-64 or 32x32 or 64KiB"
    assert " passed" in run("--benchmark-disable", "-k", small)


def test_what_the_json_holds(tmp_path):
    """pytest-benchmark's own options work, and the raw file says what was measured on what."""
    path = tmp_path / "raw.json"
    run(
        f"--benchmark-json={path}",
        "--benchmark-max-time=0.001",
        "--benchmark-min-time=0.00001",
        "--benchmark-group-by=group,param:network",
        "-k",
        "test_training_step and 64-32-10 and float32 and sigmoid",
    )
    raw = json.loads(path.read_text())
    (one,) = raw["benchmarks"]
    assert {"blas", "cores", "gpu", "settings", "cpu"} <= raw["machine_info"].keys()
    assert one["params"]["network"] == "64-32-10-b32"
    assert one["params"]["activation"] == "sigmoid"
    assert one["name"] == "test_training_step[numpy-float32-64-32-10-b32-sigmoid]"
    info = one["extra_info"]
    assert info["samples"] == 32
    assert info["flops"] == 2 * 32 * (2 * 64 * 32 + 3 * 32 * 10)
    assert info["bytes"] == 4 * (32 * (2 * 64 + 5 * 32 + 2 * 10) + 5 * (65 * 32 + 33 * 10))
    assert info["samples_per_second"] == pytest.approx(32 / one["stats"]["median"], rel=1e-12)
    assert info["peak_memory"] > info["bytes"] / 10


def test_the_estimators_are_timed_beside_scikit_learns():
    pytest.importorskip("sklearn", reason='needs scikit-learn: pip install -e ".[sklearn]"')
    command = [sys.executable, "-m", "benchmarks.estimators", "--rounds=1", "--table=breast_cancer"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.count("| breast_cancer |") == 4
    assert "differ" not in done.stdout
