"""A run that pytest-benchmark itself saved, with two backends: the table that is made of it, or why none."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchmarks.cpu_and_gpu import cpu_and_gpu
from fuseprop.benchmarks.saved import COMMAND, NotARun, read
from fuseprop.benchmarks.table import NO_RECORD, main

PLAIN = Path(__file__).parents[1] / "third_party_backend"
NETWORKS = ("2-8-1-b4", "64-32-10-b32", "64-64-10-b128")
QUICK = ("--benchmark-max-time=0.001", "--benchmark-min-time=0.00001", "--benchmark-min-rounds=3")
GPU = {"name": "A GPU", "driver": 12080, "cuda": 12090, "cupy": "14.2.0"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """What one run of numpy and of a second backend leaves, started as from an installation."""
    folder = tmp_path_factory.mktemp("run")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    pip += ["--no-build-isolation", "--no-deps", "--no-compile", "--target", str(folder), str(PLAIN)]
    subprocess.run(pip, check=True)
    wanted = f"test_training_step and ({' or '.join(NETWORKS)}) and sigmoid and float32"
    options = ["--backends=numpy,plain", "--benchmark-json=run.json", *QUICK, "-k", wanted]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--pyargs", "fuseprop.benchmarks", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return json.loads((folder / "run.json").read_text())


@pytest.fixture
def on_a_gpu(saved, tmp_path):
    """Return what writes this run with the second backend called a GPU, some of whose medians are others."""

    def write(faster=(), device="cuda"):
        run = json.loads(json.dumps(saved))
        run["machine_info"]["gpu"] = GPU
        for test in run["benchmarks"]:
            if test["extra_info"]["backend"] == "plain":
                test["extra_info"].update(backend="cupy", device=device)
                if test["params"]["network"] in faster:
                    for name in ("q1", "median", "q3"):
                        test["stats"][name] /= 1e6
        path = tmp_path / "run.json"
        path.write_text(json.dumps(run))
        return path

    return write


def table(path):
    return CliRunner().invoke(main, [str(path)])


def test_the_table_of_a_cpu_and_a_gpu(saved, on_a_gpu):
    done = table(on_a_gpu(faster=NETWORKS[-1:]))
    assert done.exit_code == 0, done.output
    text = done.stdout
    assert f"CPU: {saved['machine_info']['cpu_name']}, {saved['machine_info']['cores']} cores.\n" in text
    assert "GPU: A GPU, driver of CUDA 12.8, CUDA 12.9, CuPy 14.2.0.\n" in text
    assert f"fuseprop {saved['machine_info']['fuseprop']}, NumPy " in text
    assert "### step: numpy on cpu, cupy on cuda\n" in text
    row = r"^\| (\S+) \| sigmoid, float32 \| (\S+) \[(\S+), (\S+)\] \| .* \| (\S+) \|$"
    rows = re.findall(row, text, re.MULTILINE)
    assert [row[0] for row in rows] == list(NETWORKS)
    for (_, middle, low, high, ratio), network in zip(rows, NETWORKS, strict=True):
        stats = {
            test["params"]["backend"][0]: test["stats"]
            for test in saved["benchmarks"]
            if test["params"]["network"] == network
        }
        numbers = [float(number.replace(",", "")) for number in (low, middle, high, ratio)]
        scale = 1e6 if network == NETWORKS[-1] else 1
        assert numbers == pytest.approx(
            [
                *(1e6 * stats["numpy"][name] for name in ("q1", "median", "q3")),
                scale * stats["numpy"]["median"] / stats["plain"]["median"],
            ],
            rel=6e-3,  # three digits
        )
    (line,) = re.findall(r"^- sigmoid, float32: (.*)$", text, re.MULTILINE)
    assert re.fullmatch(
        r"From about [\d,]+ rows x weights a step on, the GPU is faster than the CPU: "
        r"interpolated between 64-32-10-b32 and 64-64-10-b128\.",
        line,
    )


@pytest.mark.parametrize(("faster", "first"), [((), "the CPU"), (NETWORKS, "the GPU")])
def test_one_of_them_may_be_faster_everywhere(on_a_gpu, faster, first):
    assert f"- sigmoid, float32: {first} is faster than " in table(on_a_gpu(faster)).stdout


def test_which_gpu_is_named_is_said(on_a_gpu):
    assert (
        "The GPU that is named is the first of the machine; measured was cuda:1."
        in table(on_a_gpu(device="cuda:1")).stdout
    )


def test_a_run_without_a_gpu_says_that_there_is_no_record(saved, tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(saved))
    done = table(path)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "This run has rows of numpy on cpu, plain on cpu alone." in done.stderr
    assert COMMAND in done.stderr


def with_(run, *path_and_value):
    """Return a run as text, with another value at a place."""
    *path, last, value = path_and_value
    damaged = holder = json.loads(json.dumps(run))
    for name in path:
        holder = holder[name]
    holder[last] = value
    return json.dumps(damaged)


def test_equal_times_are_level(saved, on_a_gpu):
    """Quartiles that overlap are too: here, those of one time on both."""
    path = on_a_gpu()
    run = json.loads(path.read_text())
    for test in run["benchmarks"]:
        test["stats"].update(q1=1e-5, median=1e-5, q3=1e-5)
    path.write_text(json.dumps(run))
    lines = table(path).stdout
    assert "the CPU and the GPU are level at 2-8-1-b4, 64-32-10-b32, 64-64-10-b128" in lines
    assert "is faster than" not in lines


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda run: "{", "it is no JSON"),
        (lambda run: b"\xff\x00", "it is no JSON"),
        (lambda run: "[]", "it is no file that pytest-benchmark wrote"),
        (lambda run: json.dumps({"benchmarks": []}), "it is no file that pytest-benchmark wrote"),
        (lambda run: json.dumps({**run, "benchmarks": []}), "none of its tests measured a network"),
        (lambda run: json.dumps(run).replace('"2-8-1-b4"', '"2-9-1-b4"'), "2-9-1-b4"),
        (lambda run: "[" * 100_000, "nested too deeply|no JSON"),
        (lambda run: with_(run, "machine_info", "gpu", "A GPU"), "machine_info.gpu must be an object"),
        (lambda run: with_(run, "machine_info", "gpu", {"name": "A"}), "machine_info.gpu.driver is missing"),
        (
            lambda run: with_(run, "machine_info", "gpu", {**GPU, "driver": "12"}),
            "gpu.driver must be a whole",
        ),
        (lambda run: with_(run, "machine_info", "cpu", "fast"), "machine_info.cpu must be an object"),
        (lambda run: with_(run, "benchmarks", 0, "extra_info", "device", 0), r"\[0\].extra_info.device must"),
        (lambda run: with_(run, "benchmarks", 0, "group", ["step"]), r"benchmarks\[0\].group must be a text"),
        (lambda run: with_(run, "benchmarks", 0, "group", None), r"benchmarks\[0\].group must be a text"),
        (
            lambda run: with_(run, "benchmarks", 0, "stats", "q1", True),
            r"stats.q1 must be a number, got True",
        ),
        (lambda run: with_(run, "benchmarks", 0, "params", ["network"]), "params must be an object"),
        (lambda run: with_(run, "benchmarks", [*run["benchmarks"], run["benchmarks"][0]]), "both measured"),
        (
            lambda run: re.sub(r'"median": [^,]*', '"median": NaN', json.dumps(run)),
            "q1 <= median <= q3, got .*nan",
        ),
    ],
)
def test_a_file_that_is_no_such_run_is_refused(saved, tmp_path, damage, why):
    path = tmp_path / "run.json"
    text = damage(saved)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(NotARun, match=why):
        read(path)
    done = table(path)
    assert done.exit_code == 2
    assert str(path) in done.stderr.replace("\n", "")
    assert COMMAND in done.stderr.replace("\n", "")


def test_no_file_at_all(tmp_path):
    done = table(tmp_path / "run.json")
    assert done.exit_code == 2
    assert "There is no record of a CPU and a GPU in one run yet." in done.stderr
    assert COMMAND in done.stderr


def test_the_section_of_the_page(on_a_gpu, saved, tmp_path):
    """It says that there is no record until one is saved, where pytest-benchmark saves runs."""
    results = tmp_path / "results"
    folder = results / "suite" / "Linux-CPython-3.11-64bit"
    folder.mkdir(parents=True)
    for only_cpu in (False, True):
        if only_cpu:
            (folder / "0001_here.json").write_text(json.dumps(saved))
        assert NO_RECORD in cpu_and_gpu(results)
    on_a_gpu(NETWORKS).rename(folder / "0002_there.json")
    section = cpu_and_gpu(results)
    assert NO_RECORD not in section
    assert section.count("\nGPU: A GPU, ") == 1
    (folder / "0003_other.json").write_text("{}")
    with pytest.raises(click.UsageError, match=r"0003_other\.json"):
        cpu_and_gpu(results)
