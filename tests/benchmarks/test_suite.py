"""The suite runs: once each and untimed here, on the small networks."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from fuseprop.backend.registry import load_backend
from fuseprop.benchmarks import estimators

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
    assert info["replay"] == load_backend("cpu").replay
    assert info["flops"] == 2 * 32 * (2 * 64 * 32 + 3 * 32 * 10)
    assert info["bytes"] == 4 * (32 * (2 * 64 + 5 * 32 + 2 * 10) + 5 * (65 * 32 + 33 * 10))
    assert info["samples_per_second"] == pytest.approx(32 / one["stats"]["median"], rel=1e-12)
    assert info["peak_memory"] > info["bytes"] / 10


QUICK = ("--benchmark-max-time=0.001", "--benchmark-min-time=0.00001", "--benchmark-min-rounds=1")
SMALL = "test_host_to_device and 64KiB"


def without_a_gpu(storage, *options, **environment):
    """Run two benchmarks for each backend where no GPU can be seen; return exit status and output."""
    command = [sys.executable, "-m", "pytest", "-q", ROOT / "benchmarks", "-p", "no:cacheprovider", *QUICK]
    done = subprocess.run(
        [*map(str, command), "-k", SMALL, *options],
        cwd=storage,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "REQUIRE_GPU": "0", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_backend_that_cannot_be_used_takes_one_line(tmp_path):
    status, printed = without_a_gpu(tmp_path, "-rs")
    assert status == 0, printed
    assert re.search(r"^2 passed, 1 skipped, \d+ deselected", printed, re.MULTILINE), printed
    (line,) = re.findall(r"^backend .*", printed, re.MULTILINE)
    assert line.startswith("backend 'cupy' cannot be used, and one of its 2 tests stands for all: ")


@pytest.mark.parametrize(
    ("options", "environment"),
    [(["--backends=cupy"], {}), ([], {"REQUIRE_GPU": "1"})],
    ids=["named", "required"],
)
def test_one_that_was_asked_for_fails_with_the_reason(tmp_path, options, environment):
    status, printed = without_a_gpu(tmp_path, *options, **environment)
    assert status == 1, printed
    assert printed.count("1 error") == 1
    assert "backend 'cupy' was asked for and cannot be used: " in printed


def test_every_option_of_pytest_benchmark_ends_without_an_error(tmp_path):
    """Each in its turn, over one folder: nothing is stored there at first."""
    for options, words in [
        (["--benchmark-compare"], ["Can't compare", "2 passed"]),
        (["--benchmark-disable"], ["2 passed"]),
        (["--benchmark-skip", "--benchmark-autosave"], ["3 skipped", "Not saving anything"]),
        (["--benchmark-only", "--benchmark-autosave"], ["2 passed", "Saved benchmark data in"]),
        (["--benchmark-compare"], ["2 passed", "Comparing against benchmarks from", "NOW"]),
        (["--backends=numpy", "--benchmark-compare=9999"], ["Can't compare", "2 passed"]),
    ]:
        status, printed = without_a_gpu(tmp_path, *options)
        assert status == 0, (options, printed)
        for word in words:
            assert word in printed, (options, printed)
        assert "machine_info is different" not in printed, (options, printed)
    assert len(list(tmp_path.rglob("*.json"))) == 1


def test_the_estimators_are_timed_beside_scikit_learns(monkeypatch):
    pytest.importorskip("sklearn", reason='needs scikit-learn: pip install -e ".[sklearn]"')
    few = replace(estimators.TABLES["breast_cancer"], epochs=4)
    monkeypatch.setitem(estimators.TABLES, "breast_cancer", few)
    done = CliRunner().invoke(estimators.main, ["--rounds=1", "--table=breast_cancer"])
    assert done.exit_code == 0, done.output
    assert done.stdout.count("| breast_cancer |") == 10  # three fits and two predictions, in each dtype
    assert "the numbers differ" not in done.stdout
