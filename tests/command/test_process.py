"""The command as a process: interruption, a reader that goes away, a terminal, and what an import loads."""

import json
import os
import signal
import subprocess
import sys

import pytest

import fuseprop

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and terminals")
COMMAND = [sys.executable, "-m", "fuseprop"]


def default_interrupt():
    """Undo what a shell does to its background jobs, which would otherwise be inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@posix
def test_interruption_is_130_and_keeps_the_model(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"a good model")
    process = subprocess.Popen(
        [
            *(*COMMAND, "train", "digits", "--epochs", "1000000", "--members", "1", "--device", "cpu"),
            *("--json", "--out", str(path)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_interrupt,
    )
    for line in process.stderr:
        if line.startswith("epoch 3/"):
            process.send_signal(signal.SIGINT)
            break
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    told = [line for line in stderr.splitlines() if "interrupted" in line]
    assert len(told) == 1
    assert f"{path} was not written" in told[0]
    made = json.loads(stdout)
    assert made["stop_reason"] == "interrupted"
    assert 3 <= made["epochs"] < 1000000
    assert made["model"] == str(tmp_path / "m.interrupted.safetensors")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.interrupted.safetensors", "m.safetensors"]
    assert path.read_bytes() == b"a good model"
    scores = fuseprop.load(made["model"], device="cpu").evaluate(fuseprop.load_table("digits"))
    assert scores["accuracy"] > 0.2


SLOW_READER = """
import sys, time
import fuseprop.cli, fuseprop.__main__

def load_table(*given, **options):
    print("reading", file=sys.stderr, flush=True)
    time.sleep(60)

sys.modules["fuseprop.cli.train"].load_table = load_table
sys.argv = ["fuseprop", "train", "slow.csv", "--target", "y"]
fuseprop.__main__.main()
"""


@posix
def test_interruption_before_training_is_130_too():
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_READER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_interrupt,
    )
    assert process.stderr.readline() == "reading\n"
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stdout == ""


@posix
def test_a_reader_that_goes_away_is_no_error(tmp_path):
    path = tmp_path / "m.safetensors"
    fuseprop.train("digits", epochs=1, device="cpu")[0].save(path)
    process = subprocess.Popen(
        [*COMMAND, "predict", str(path), "digits"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(timeout=60)


@posix
def test_a_bar_on_a_terminal():
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    process = subprocess.run(
        [*COMMAND, "train", "iris", "--epochs", "3", "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
    )
    shown = os.read(ours, 65536).decode()
    os.close(theirs)
    os.close(ours)
    assert "3/3" in shown
    assert "epoch 1/3" not in shown
    assert b"accuracy" in process.stdout


def test_importing_fuseprop_loads_numpy_alone():
    code = (
        "import sys, fuseprop\n"
        "print(sorted({'click', 'sklearn', 'tqdm', 'safetensors', 'cupy', 'scipy'} & set(sys.modules)))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]"


def test_a_network_comes_without_what_few_trainings_need():
    """`python -m benchmarks.import_time` measures what imports take; here is what must not creep back."""
    later = [
        "numpy.random",
        "importlib.metadata",
        "csv",
        "hashlib",
        "json",
        "secrets",
        "fuseprop.callbacks.early_stopping",
        "fuseprop.callbacks.history_csv",
        "fuseprop.checkpoints",
        "fuseprop.inspection",
        "fuseprop.storage",
    ]
    code = (
        "import sys, numpy; before = set(sys.modules)\n"
        "from fuseprop import MomentumSGD, Network, mlp\n"
        f"print(sorted(set({later}) & (set(sys.modules) - before)))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]"
