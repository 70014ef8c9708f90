"""`fuseprop bench` in real processes: who counts, who is late, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from made_up import row as made_up_row

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
from fuseprop.benchmarks.turns import environment
from fuseprop.cli import main
from fuseprop.formulas import LOSSES, Activation, as_activation, as_loss

HERE = Path(__file__).parent
TINY = [named("4-3-2-b8"), named("5-4-1-b8")]
TEXTBOOK = {"fuseprop.benchmarks.peers.textbook": "textbook"}


@pytest.fixture(autouse=True)
def fakes_are_found(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def measured(asked, seconds=6000.0, rounds=2, **more):
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


@pytest.fixture
def no_patience(monkeypatch):
    """Return what has one be waited for a moment only, whenever others are ready."""

    def with_(module, *, imported=1e9):
        waited = Measurement._until

        def until(self, process, seconds):
            if process.module == module:
                return time.monotonic() + (0.1 if process.hello else imported)
            return waited(self, process, seconds)

        monkeypatch.setattr(Measurement, "_until", until)

    return with_


def test_nobody_is_waited_for_who_is_imported_for_ten_minutes(no_patience):
    no_patience("never_imported", imported=0.1)
    raw = measured(Asked(TINY[:1], "sigmoid", {}, ["cpu"], False, {"never_imported": "slow"}))
    (left,) = [one["why"] for one in raw["left_out"] if one["who"] == "slow on cpu"]
    assert re.match(r"not imported within \d+ s\. Give more time: --seconds 12000, or ask for less", left)
    assert rows_of(raw)["fuseprop"]["times"]


def test_nobody_is_waited_for_whose_step_is_built_for_ten_minutes(no_patience):
    no_patience("never_ready")
    raw = measured(Asked(TINY, "sigmoid", {}, ["cpu"], False, {"never_ready": "slow"}))
    for network in (0, 1):
        late = rows_of(raw, network)["never ready"]["skipped"]
        assert late.startswith("not ready after 5999 s: building a step of it took longer. Give more time")
    assert rows_of(raw)["fuseprop"]["times"]


def late_by(seconds):
    """Return a measurement of ours and the textbook whose time began so long ago."""
    asked = Asked(TINY[:1], "sigmoid", {}, ["cpu"], False, TEXTBOOK)
    return Measurement(
        asked, 60.0, lambda _: None, pause=0.0, rounds=1, begun=time.monotonic() - seconds
    ).run()


def test_nobody_is_started_once_no_time_is_left():
    raw = late_by(50.0)
    assert raw["peers"] == []
    assert Outcome(raw).devices == []
    assert raw["unavailable"]["cpu"].startswith("fuseprop on cpu: not begun: no time was left after 4")
    assert [one["who"] for one in raw["left_out"]] == ["fuseprop on cpu", "textbook on cpu"]
    assert raw["took"] == pytest.approx(50.0, abs=5.0)


def test_there_is_more_time_for_imports_where_rounds_need_less():
    def allowed(rounds, seconds=60.0, peers=5):
        asked = Asked(TINY * 2, "sigmoid", {}, ["cpu"], False, {str(n): str(n) for n in range(peers)})
        made = Measurement(asked, seconds, lambda _: None, rounds=rounds)
        return made._imported, made._built_by

    assert allowed(21) == (30.0, 42.0)
    imported, built = allowed(2)
    assert imported > 40
    assert imported < built < 60
    assert allowed(21, seconds=600.0)[1] > 570


def test_ours_is_ready_on_the_smallest_network_before_others_start_and_on_the_rest_after(monkeypatch):
    built, started = [], []
    real, start = Measurement._built, Measurement._start

    def noted(self, process, number, form, case):
        built.append((process.name, case.id, len(self._processes)))
        return real(self, process, number, form, case)

    def begun(self, *who):
        started.append((who[2], len(built)))
        return start(self, *who)

    monkeypatch.setattr(Measurement, "_built", noted)
    monkeypatch.setattr(Measurement, "_start", begun)
    measured(Asked(TINY[::-1], "sigmoid", {}, ["cpu"], False, TEXTBOOK), rounds=1)
    assert built[0] == ("fuseprop", TINY[0].id, 1)
    assert started[0] == ("fuseprop", 0)
    assert started[1][1] >= 1
    assert len(built) == 4


def test_workers_keep_what_they_have_compiled(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in environment([])


def test_no_process_is_started_for_a_gpu_without_a_driver(monkeypatch):
    """CuPy, whose import takes seconds, is not imported to tell."""
    monkeypatch.setattr("fuseprop_cupy.device.probe.find_spec", lambda _: True)
    monkeypatch.setattr("fuseprop_cupy.device.probe.driver", lambda: 0)
    monkeypatch.setattr("fuseprop_cupy.device.probe.import_cupy", None)
    raw = measured(Asked(TINY[:1], "sigmoid", {}, ["cpu", "cuda"], False, {}), rounds=1)
    assert raw["unavailable"]["cuda"].startswith("no NVIDIA driver was found. Type: nvidia-smi")
    assert [one["device"] for one in raw["peers"]] == ["cpu"]


def test_a_process_that_was_killed_is_named(monkeypatch):
    start = Measurement._start

    def killed(self, *who):
        process = start(self, *who)
        process._process.kill()
        return process

    monkeypatch.setattr(Measurement, "_start", killed)
    with pytest.raises(BackendUnavailable, match=r"^fuseprop on cpu: ended with"):
        measured(Asked(TINY[:1], "sigmoid", {}, ["cpu"], True, {}))


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
        for _, _, timed_row in timed:
            timed_row["times"].append(1e-5)
            calls.append(timed_row)
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


SHORT = ("--device", "cpu", "--rounds", "2", "--seconds", "6000")


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
        (["--network", "64"], 2, 'expected sizes such as "64-32-10", inputs first'),
        (["--network", "64-0-10"], 2, "expected sizes"),
        (["--network", "64-x"], 2, "expected sizes"),
        (["--batch", "4"], 2, "--batch goes with --network or MODEL"),
        (["--activation", "step", "--network", "4-2"], 2, "step"),
        (["--peer", "none", "--peer", "jax"], 2, "--peer none goes with no other library"),
        (["--peer", "jacks"], 2, "jax"),
        (["--html", "page.txt"], 2, "ends in .html"),
        (["--seconds", "0"], 2, "--seconds"),
        (["--seconds", "nan"], 2, "expected a finite number, got nan"),
        (["--seconds", "inf"], 2, "expected a finite number, got inf"),
        (["--network", "99999999999999999999-1"], 2, "GiB"),
        (["--network", "4-1", "--batch", "99999999999999999999"], 2, "GiB"),
        (["--device", "tpu"], 2, "'tpu' is neither a device nor an installed backend"),
        (["--device", "cpu:1"], 3, "cpu:1"),
        (["model.safetensors", "--network", "4-2"], 2, "a MODEL has layers and activations"),
        (["missing.safetensors"], 1, "missing.safetensors"),
        (["--threads", "100000", "--peer", "none"], 2, "--threads 100000: there are"),
        (["--device", "nobody_has_it", "--peer", "none"], 2, "nobody_has_it"),
    ],
)
def test_what_is_refused(tmp_path, monkeypatch, arguments, code, says):
    """Before any process is started."""
    monkeypatch.setattr(measuring, "Peer", None)
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == code, done.output
    assert says in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_gpu_that_is_not_there_is_refused_before_a_process_is_started(monkeypatch):
    monkeypatch.setattr(measuring, "Peer", None)
    monkeypatch.setattr("fuseprop_cupy.device.probe.find_spec", lambda _: True)
    monkeypatch.setattr("fuseprop_cupy.device.probe.driver", lambda: 0)
    done = run("--device", "cuda:7", "--peer", "none")
    assert done.exit_code == 3
    assert "no NVIDIA driver was found" in done.output


@pytest.mark.parametrize("measured_before", [False, True])
def test_ctrl_c_before_anything_was_measured_keeps_an_earlier_page(tmp_path, monkeypatch, measured_before):
    def interrupted(self):
        self._rows = {"4-3-2-b8": [made_up_row("fuseprop", "cpu", 1e-5)]} if measured_before else {}
        self._interrupted = True
        return self._result()

    monkeypatch.setattr(Measurement, "run", interrupted)
    page = tmp_path / "bench.html"
    page.write_text("earlier")
    done = run("--network", "4-3-2", "--batch", "8", "--peer", "none", *SHORT, "--html", str(page))
    assert (page.read_text(encoding="utf-8") == "earlier") == (not measured_before)
    assert ("nothing was measured" in done.output) == (not measured_before)


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
