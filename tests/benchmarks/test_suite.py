"""The suite runs: once each and untimed here, on the small networks."""

import json
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from fuseprop.backend.registry import load_backend
from fuseprop.benchmarks import estimators, fixtures

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


@pytest.fixture(scope="module")
def collected():
    """The names of all tests of `pytest benchmarks` in the clone."""
    return re.findall(r"::(.+)", run("--collect-only"))


def test_an_installation_runs_the_same_suite_without_any_configuration(collected, tmp_path):
    command = [sys.executable, "-m", "pytest", "-q", "--pyargs", "fuseprop.benchmarks", "--collect-only"]
    done = subprocess.run([*command, "--backends=numpy"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"::(.+)", done.stdout) == collected
    assert len(collected) > 200


def test_other_runs_of_pytest_are_given_nothing(tmp_path):
    """No option that may be another suite's, no fixture, and no import that takes time."""
    (tmp_path / "conftest.py").write_text("def pytest_addoption(parser): parser.addoption('--backends')")
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.hasplugin('fuseprop')\n"
        "    assert pytestconfig.getoption('--backends') == 'theirs'\n"
        "    ours = {name for name in sys.modules if name.startswith('fuseprop')}\n"
        "    assert ours == {'fuseprop', 'fuseprop.benchmarks', 'fuseprop.benchmarks.loading'}\n"
        "    assert 'numpy' not in sys.modules\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--backends=theirs",
        "-p",
        "no:cacheprovider",
        "test_it.py",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "options",
    [["--pyargs", "fuseprop.benchmarks", "--benchmark-json=x"], ["-p", "fuseprop.benchmarks.fixtures"]],
)
def test_without_pytest_benchmark_one_line_says_what_to_type(tmp_path, options):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['pytest_benchmark'] = None")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "fuseprop.benchmarks.loading", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    (said,) = filter(None, done.stderr.splitlines())
    assert said.startswith(
        "ERROR: fuseprop.benchmarks needs pytest-benchmark, which is not installed. Type: "
    )
    assert "[benchmarks]" in said


def test_a_suite_of_a_users_own_takes_the_fixtures(tmp_path):
    """As the page of the plugin shows it, file by file."""
    blocks = re.split(r"^    # (\w+\.py)\n", fixtures.__doc__, flags=re.MULTILINE)[1:]
    for name, text in zip(blocks[::2], blocks[1::2], strict=True):
        (tmp_path / name).write_text(textwrap.dedent(text.partition("\n\nIt builds")[0]))
    command = [sys.executable, "-m", "pytest", "-q", "--backends=numpy", "--benchmark-json=mine.json"]
    done = subprocess.run([*command, *QUICK], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    saved = json.loads((tmp_path / "mine.json").read_text())
    assert {"gpu", "blas", "cores", "cpu_name", "fuseprop"} <= saved["machine_info"].keys()
    assert "node" not in saved["machine_info"]
    assert [test["name"] for test in saved["benchmarks"]] == [
        "test_relu[numpy-float32]",
        "test_relu[numpy-float64]",
    ]
    assert saved["benchmarks"][0]["options"]["max_time"] == 0.001  # and no default of our own suite
    assert saved["benchmarks"][0]["extra_info"]["samples_per_second"] > 0


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
