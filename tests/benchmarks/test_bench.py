"""`fuseprop bench` in real processes: who counts, who is late, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop.backend import BackendUnavailable
from fuseprop.benchmarks.bench import asked as asking
from fuseprop.benchmarks.bench import measuring
from fuseprop.benchmarks.bench.asked import Asked, designs_of, devices_here, peers_here
from fuseprop.benchmarks.bench.measuring import Measurement
from fuseprop.benchmarks.bench.outcome import Outcome
from fuseprop.benchmarks.design import Design
from fuseprop.benchmarks.gate import Gate
from fuseprop.benchmarks.networks import named
from fuseprop.benchmarks.peers.fuseprop import forms
from fuseprop.benchmarks.problem import make_problem
from fuseprop.cli import main
from fuseprop.formulas import LOSSES, Activation, as_activation, as_loss

HERE = Path(__file__).parent
TINY = [named("4-3-2-b8"), named("5-4-1-b8")]
TEXTBOOK = {"fuseprop.benchmarks.peers.textbook": "textbook"}


@pytest.fixture(autouse=True)
def fakes_are_found(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def measured(asked, seconds=60.0, rounds=2, **more):
    said = []
    raw = Measurement(asked, seconds, said.append, pause=0.0, rounds=rounds, **more).run()
    assert said[0].startswith("getting ready: fuseprop")
    return raw


def rows_of(raw, network=0):
    return {row["name"]: row for row in raw["networks"][network]["rows"]}


@pytest.fixture(scope="module")
def result():
    peers = TEXTBOOK | {"wrong_learning_rate": "wrong", "dies": "dies", "absent": "absent"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        return measured(Asked(TINY, "sigmoid", {}, ["cpu"], False, peers, [("Keras", "not installed")]))


@pytest.mark.parametrize("network", [0, 1])
def test_whoever_is_right_is_measured_in_every_round(result, network):
    for name in ("fuseprop", "textbook NumPy"):
        row = rows_of(result, network)[name]
        assert row["gate"]["passed"]
        assert len(row["times"]) == 2
        assert min(row["times"]) > 0
    assert result["rounds"] == 2


@pytest.mark.parametrize("network", [0, 1])
def test_a_wrong_learning_rate_is_refused_with_figures(result, network):
    row = rows_of(result, network)["wrong"]
    assert "float64 reference" in row["refused"]
    assert row["times"] == []
    assert "wrong on cpu" in Outcome(result).refused[network]


def test_who_dies_says_so_and_the_others_go_on(result):
    row = rows_of(result)["dies"]
    assert row["error"].startswith("ended with 3")
    assert Outcome(result).devices == ["cpu"]


def test_who_is_not_there_is_left_out_by_name(result):
    left = {one["who"]: one["why"] for one in result["left_out"]}
    assert left["Keras"] == "not installed"
    assert "a_library_that_nobody_has" in left["absent on cpu"]
    assert left["fuseprop calls on cpu"] == "a slower way of the same backend"


def test_slower_ways_are_measured_where_they_are_asked_for():
    if forms("cpu")[1].table != "step":
        pytest.skip("steps are not compiled here")
    raw = measured(Asked(TINY[:1], "relu", {}, ["cpu"], False, {}), every_form=True, rounds=1)
    assert list(rows_of(raw)) == ["fuseprop", "fuseprop calls"]
    assert raw["left_out"] == []


def test_nobody_is_waited_for_who_is_imported_for_ten_minutes():
    raw = measured(Asked(TINY[:1], "sigmoid", {}, ["cpu"], False, {"never_imported": "slow"}), seconds=8.0)
    (left,) = [one["why"] for one in raw["left_out"] if one["who"] == "slow on cpu"]
    assert left == "not imported within 4 s. Give more time: --seconds 16"


def test_nobody_is_waited_for_whose_step_is_built_for_ten_minutes(monkeypatch):
    monkeypatch.setattr(measuring, "LATE", 0.01)
    raw = measured(Asked(TINY, "sigmoid", {}, ["cpu"], False, {"never_ready": "slow"}), seconds=400.0)
    for network in (0, 1):
        late = rows_of(raw, network)["never ready"]["skipped"]
        assert late == "not ready after 4 s. Give more time: --seconds 800"


def test_no_form_is_begun_to_be_built_late(monkeypatch):
    monkeypatch.setattr(measuring, "READY", 0.0)
    raw = measured(Asked(TINY[:1], "sigmoid", {}, ["cpu"], False, {}), seconds=60.0)
    assert Outcome(raw).devices == []
    assert "not imported within 0 s" in raw["unavailable"]["cpu"]


def test_a_device_that_was_named_must_be_there():
    with pytest.raises(BackendUnavailable, match="nobody_has"):
        measured(Asked(TINY, "sigmoid", {}, ["nobody_has_it"], True, {}))


def test_a_device_that_was_not_named_may_be_missing():
    raw = measured(Asked(TINY[:1], "sigmoid", {}, ["cpu", "nobody_has_it"], False, {}), rounds=1)
    assert rows_of(raw)["fuseprop"]["times"]
    assert "nobody_has_it" in raw["unavailable"]["nobody_has_it"]


def test_devices_are_those_of_installed_backends_and_named_alike():
    assert devices_here(()) == ["cpu", "cuda"]
    assert devices_here(("numpy", "cpu", "cuda:1")) == ["cpu", "cuda:1"]


def test_libraries_are_found_without_importing_them(monkeypatch):
    monkeypatch.setattr(asking, "find_spec", lambda package: package == "jax" or None)
    found, left_out = peers_here(["pytorch", "jax"], {})
    assert found == {"fuseprop.benchmarks.peers.jax": "JAX"}
    assert left_out == [("PyTorch", "not installed")]


def test_ctrl_c_keeps_what_was_measured(monkeypatch):
    """The interruption falls into the second round."""
    calls = []

    def interrupted(timed, **about):
        for _, _, row in timed:
            row["times"].append(1e-5)
            calls.append(row)
        raise KeyboardInterrupt

    monkeypatch.setattr("fuseprop.benchmarks.bench.measuring.take_turns", interrupted)
    raw = measured(Asked(TINY, "sigmoid", {}, ["cpu"], False, {}))
    assert raw["interrupted"]
    assert [len(row["times"]) for row in calls] == [1, 1]
    assert Outcome(raw).devices == ["cpu"]


# ---- networks that not everyone can have


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_every_loss_of_ours_passes_the_gate_and_a_wrong_step_does_not(loss):
    outputs = 3 if as_loss(loss).takes_labels else 2
    case = named(f"4-5-{outputs}-b16")
    design = Design((as_activation("tanh"), as_activation("identity")), as_loss(loss))
    problem = make_problem(case, "sigmoid", device="minute", design=design)
    gate = Gate(problem)
    running = forms("cpu")[0].build(problem)
    running.run(gate.steps)
    assert gate.verdict(running.weights())["passed"]
    running.run(1)  # one step too many
    assert not gate.verdict(running.weights())["passed"]


def test_weights_that_are_not_finite_pass_no_gate():
    design = Design((as_activation("tanh"), as_activation("identity")), as_loss("huber"))
    problem = make_problem(TINY[0], "sigmoid", design=design)
    gate = Gate(problem)
    assert not gate.verdict([(np.full_like(w, np.nan), b) for w, b in problem.weights])["passed"]


def test_designs_cross_to_other_processes_and_back():
    own = Activation("bent", lambda z: z / (1 + abs(z)))
    (design,) = designs_of(TINY[:1], own).values()
    assert Design.of_text(design.as_text()) == design
    assert design.of_everyone(2) is None
    assert designs_of(TINY, as_activation("relu")) == {}


# ---- the command


SHORT = ("--device", "cpu", "--rounds", "2", "--seconds", "120")


def run(*arguments):
    return CliRunner().invoke(main, ["bench", *arguments])


def test_the_command_prints_a_table_and_writes_a_page(tmp_path):
    page = tmp_path / "bench.html"
    done = run("--network", "4-3-2", "--batch", "8", "--peer", "none", *SHORT, "--html", str(page))
    assert done.exit_code == 0, done.output
    assert "4-3-2, batch 8: 18 weights" in done.stdout
    assert "cpu is the one device that was measured." in done.stdout
    assert "4-3-2, batch 8" in page.read_text(encoding="utf-8")


def test_a_model_is_measured_with_its_own_loss_and_nobody_else_can_have_it(tmp_path):
    table = {"a": [1.0, 2.0, 3.0, 4.0] * 5, "y": [2.0, 4.0, 6.0, 8.0] * 5}
    path = tmp_path / "line.safetensors"
    settings = {"task": "regression", "hidden": [3], "activation": "tanh", "epochs": 1, "device": "cpu"}
    model, _ = fuseprop.train(table, target="y", **settings)
    model.save(path)
    done = run(str(path), "--batch", "4", "--json", *SHORT)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [(n["label"], n["trains"]) for n in found["networks"]] == [
        ("1-3-1, batch 4", "tanh, identity; mean_squared_error")
    ]
    assert found["networks"][0]["rows"][0]["gate"]["passed"]
    left = {one["who"]: one["why"] for one in found["left_out"]}
    assert "this network tanh, identity" in left["PyTorch"]
    assert {"PyTorch", "JAX", "scikit-learn", "Keras", "Thinc"} <= left.keys()


def test_a_refused_row_fails_the_command(monkeypatch):
    monkeypatch.setattr(asking, "peers_here", lambda *_: ({"wrong_learning_rate": "wrong"}, []))
    done = run("--network", "4-3-2", "--batch", "8", *SHORT)
    assert done.exit_code == 1
    assert "refused by the gate: loss" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--network", "64"], 2, "expected sizes from inputs to outputs such as 64-32-10"),
        (["--network", "64-0-10"], 2, "expected sizes"),
        (["--network", "64-x"], 2, "expected sizes"),
        (["--batch", "4"], 2, "--batch goes with --network or MODEL"),
        (["--activation", "step", "--network", "4-2"], 2, "step"),
        (["--peer", "none", "--peer", "jax"], 2, "--peer none goes with no other library"),
        (["--peer", "jacks"], 2, "jax"),
        (["--html", "page.txt"], 2, "ends in .html"),
        (["--seconds", "0"], 2, "--seconds"),
        (["model.safetensors", "--network", "4-2"], 2, "a MODEL has layers and activations"),
        (["missing.safetensors"], 1, "missing.safetensors"),
        (["--threads", "100000", "--peer", "none"], 2, "--threads 100000: there are"),
        (["--device", "nobody_has_it", "--peer", "none"], 3, "nobody_has_it"),
    ],
)
def test_what_is_refused(tmp_path, monkeypatch, arguments, code, says):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == code, done.output
    assert says in done.output
    assert list(tmp_path.iterdir()) == []


# ---- how it ends

LINUX = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")


def command(mark):
    words = [
        "bench",
        "--rounds",
        "1000",
        "--network",
        "4-3-2",
        "--device",
        "cpu",
        "--peer",
        "none",
        "--seconds",
        "600",
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "fuseprop", *words],
        env={**os.environ, "BENCH_TEST": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def marked(mark):
    """Return the processes in whose environment this mark stands."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"BENCH_TEST={mark}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def until_none(mark, seconds=60.0):
    end = time.monotonic() + seconds
    while marked(mark) and time.monotonic() < end:
        time.sleep(0.05)
    return marked(mark)


def until_measuring(process):
    for line in process.stderr:
        if line.startswith("measuring"):
            return
    raise AssertionError("it has ended before it measured")


@LINUX
def test_ctrl_c_ends_it_with_what_there_is_and_leaves_no_process():
    mark = f"interrupted {os.getpid()}"
    process = command(mark)
    until_measuring(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "until it was interrupted" in out
    assert "4-3-2, batch 32" in out
    assert "Traceback" not in err
    assert until_none(mark) == []


@LINUX
def test_a_killed_command_leaves_no_process():
    mark = f"killed {os.getpid()}"
    process = command(mark)
    until_measuring(process)
    assert len(marked(mark)) == 2
    process.kill()
    process.communicate(timeout=60)
    assert until_none(mark) == []


@LINUX
def test_a_worker_ends_amid_a_step_that_takes_minutes():
    mark = f"orphaned {os.getpid()}"
    worker = subprocess.Popen(
        [sys.executable, "-m", "fuseprop.benchmarks.worker", "never_ready", "cpu"],
        env={**os.environ, "BENCH_TEST": mark},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "never ready" in worker.stdout.readline()
    worker.stdin.write(
        json.dumps({"do": "build", "form": 0, "case": "4-3-2-b8", "activation": "relu"}) + "\n"
    )
    worker.stdin.close()
    worker.wait(timeout=60)
    worker.stdout.close()
    assert until_none(mark) == []


def test_who_builds_takes_turns_with_those_who_wait():
    """The first, who would be back at once, lets the second and the third come first."""
    lock, taken, waiting = measuring.InOrder(), [], []

    def take(name, times):
        for _ in range(times):
            with lock:
                taken.append(name)
                while len(waiting) < 3 or len(lock._waiting) < min(3, 6 - len(taken) + 1):
                    time.sleep(0.001)

    threads = [threading.Thread(target=take, args=(name, 2)) for name in "abc"]
    for thread in threads:
        thread.start()
        waiting.append(thread)
    for thread in threads:
        thread.join()
    assert taken[:3] == taken[3:]
    assert sorted(taken) == [*"aabbcc"]
