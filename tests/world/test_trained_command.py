"""`fuseprop train` in several processes, under the real mpiexec: what it tells, and how it goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from launching import ALLOWED, command, launched

import fuseprop
from fuseprop.checkpoints import read_checkpoint

COMMAND = ("-m", "fuseprop", "train")
APART = ("seconds_per_epoch", "model", "processes")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(1)
    rows = [
        f"{rng.normal():.4f},{rng.choice(['a', 'b', 'c'])},{rng.integers(100)},{rng.choice(['no', 'yes'])}"
        for _ in range(300)
    ]
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    path.write_text("\n".join(["x,kind,n,y", *rows]) + "\n")
    return path


def test_any_number_of_processes_tells_the_same(table, tmp_path):
    told, models = [], []
    for n in (1, 3):
        out = tmp_path / f"{n}.safetensors"
        options = ("--target", "y", "--epochs", 5, "--device", "cpu", "--members", 1, "--out", out, "--json")
        done = launched(n, *COMMAND, table, *options)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        told.append({name: value for name, value in found.items() if name not in APART})
        layers = fuseprop.load(out).network.weights()
        models.append(np.concatenate([array.ravel() for layer in layers for array in layer]))
        assert "300 rows, 3 features" in done.stderr
        assert ("processes 3, each with rows of its own" in done.stderr) == (n == 3)
        assert done.stderr.count("epoch 5/5") == 1
    np.testing.assert_allclose(models[1], models[0], rtol=0, atol=1000 * np.finfo(np.float32).eps)
    assert rounded(told[1]) == rounded(told[0])


def rounded(data):
    """Return plain data with numbers of four digits."""
    if isinstance(data, dict):
        return {name: rounded(value) for name, value in data.items()}
    if isinstance(data, list):
        return [rounded(value) for value in data]
    return float(f"{data:.4g}") if isinstance(data, float) else data


@contextmanager
def begun(table, place, *options, processes=3):
    """Start a training of a table, or one that goes on; give it when it has kept a checkpoint, and end it."""
    words = COMMAND
    if table is not None:
        words += (table, "--target", "y", "--epochs", 10**6, "--patience", 0, "--members", 1)
    words += ("--device", "cpu", "--quiet", "--checkpoint", place, "--every", "1 s", *options)
    running = subprocess.Popen(
        command(processes, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **ALLOWED},
    )
    with running:
        try:
            until = time.monotonic() + 60
            while not place.exists():
                assert running.poll() is None, running.communicate()
                assert time.monotonic() < until
                time.sleep(0.05)
            yield running
        finally:
            running.kill()


def trains(place):
    """Return the numbers of the system of the processes that keep checkpoints there, in ascending order."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if words[0] == os.fsencode(sys.executable) and os.fsencode(place) in words:
                found.append(int(folder.name))
    return sorted(found)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the lookout is Linux's")
def test_after_a_kill_the_line_that_is_printed_goes_on(table, tmp_path):
    place = tmp_path / "run.safetensors"
    with begun(table, place) as running:
        victim = trains(place)[1]
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        _, errors = running.communicate(timeout=10)
    assert time.monotonic() - killed < 10
    assert running.returncode != 0
    assert errors.count("has died: ") == 1, errors
    assert f"of 3 (pid {victim} on" in errors
    # How it ended, Linux before 6.15 tells only until somebody has waited for it.
    assert "killed (signal 9)" in errors or "it was killed or crashed" in errors
    assert f"mpiexec -n 3 fuseprop train --resume {place}" in errors


def test_ctrl_c_ends_all_keeps_the_model_and_goes_on_with_less(table, tmp_path):
    place, out = tmp_path / "run.safetensors", tmp_path / "m.safetensors"
    with begun(table, place, "--out", out) as running:
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    assert errors.count("interrupted after") == 1
    assert "Traceback" not in errors
    assert (tmp_path / "m.interrupted.safetensors").exists()
    assert not out.exists()
    before = read_checkpoint(place).state["summary"]["epoch"]
    other = tmp_path / "other.safetensors"
    with begun(None, other, "--resume", place, processes=2) as running:
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    assert "processes is 2, and was 3" in errors
    assert read_checkpoint(other).state["summary"]["epoch"] >= before
