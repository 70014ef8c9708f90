"""The first contact with a GPU, without one: what overruns, fails or is missing, and the page."""

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import compare, first_contact, probe_gpu, profile_step, timed
from benchmarks.first_contact import PARTS, Part, chosen, exit_status, make_contact
from benchmarks.first_page import FAILURE, NOTE, SURPRISE, copy_seconds, look, page
from fuseprop.cli import doctor, train

GPU = Path("/dev/nvidia0")
ROOT = Path(__file__).parents[2]
MINUTES = 8


def test_all_parts_and_their_ends_fit_in_the_time():
    assert sum(part.seconds + timed.GRACE for part in PARTS) <= 60 * MINUTES
    table = (ROOT / "tests" / "README.md").read_text()
    told = [int(number) for number in re.findall(r"^\| .* \| (\d+)(?: each)? \|", table, re.MULTILINE)]
    assert told == [20, 184, 60, 30, 15, 133]
    assert [part.seconds for part in PARTS] == [20, 184, 60, 30, 15, 15, 133]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_command_line_is_one_that_its_program_takes(part, full, tmp_path):
    words = part.full if full else part.words
    words = [word.replace("{folder}", str(tmp_path)).replace("{results}", str(tmp_path)) for word in words]
    if part.name == "record":
        assert (ROOT / words[0]).is_file()
        done = subprocess.run(
            [sys.executable, "-c", RECORD_ONLY, *words[1:]],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [str(tmp_path / "hardware"), "3600.0" if full else "180.0", "1"]
        return
    programs = {
        "doctor": doctor,
        "train-cuda": train,
        "train-cpu": train,
        "probe": probe_gpu.main,
        "profile": profile_step.main,
        "comparison": compare.main,
    }
    options = words[3:] if words[0] == "-c" else words[2:]
    programs[part.name].make_context(part.name, options)


def test_parts_are_chosen_and_the_record_has_its_seconds_and_processes():
    assert [part.name for part in chosen((), 180, 1)] == [part.name for part in PARTS]
    probe, record = chosen(("probe", "record"), 140, 10)[::-1]
    assert probe == PARTS[2]
    assert record.seconds == 144
    assert record.words[-3:] == ("140", "--processes", "10")


RECORD_ONLY = """
import sys; sys.path.insert(0, "tests/cuda")
import record_hardware as r
r.CupyBackend = lambda dtype: None
r.gpu_facts = lambda: {"gpu": "x"}
r.make_record = lambda facts, path, seconds, processes: print(path.parent, seconds, processes) or sys.exit()
r.main()
"""


@pytest.mark.skipif(GPU.exists(), reason="this machine has a GPU")
def test_without_a_gpu_each_part_says_so_and_nothing_is_measured(tmp_path):
    command = [sys.executable, "-m", "benchmarks.first_contact", "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    (folder,) = (tmp_path / "first_contact").iterdir()
    contact = json.loads((folder / "contact.json").read_text())
    assert [part["name"] for part in contact["parts"]] == [part.name for part in PARTS]
    if contact["parts"][0]["state"] == "ended":  # another program had the machine
        pytest.skip("the doctor had no time")
    assert {part["state"] for part in contact["parts"]} == {"no GPU"}
    assert all(part["said"] for part in contact["parts"])
    text = (folder / "page.md").read_text()
    assert done.stdout.strip() == text.strip()
    assert "No GPU was found, and nothing was measured." in text
    assert "µs" not in text
    assert not (tmp_path / "hardware").exists()


NEEDED = ("click", "numpy", "numpy.libs", "safetensors", "threadpoolctl.py", "tqdm")
"""What fuseprop itself requires, as it lies among the installed packages."""


def test_it_runs_where_neither_fuseprop_nor_anything_optional_is_installed(tmp_path):
    venv.create(tmp_path / "bare")
    python = tmp_path / "bare" / ("Scripts" if os.name == "nt" else "bin") / "python"
    site, results = tmp_path / "site", tmp_path / "results"
    site.mkdir()
    for name in NEEDED:
        where = next((Path(path) / name for path in sys.path if (Path(path) / name).exists()), None)
        if where is not None:
            (site / name).symlink_to(where)
    env = {"PATH": "/nowhere", "PYTHONPATH": str(site), "HOME": str(tmp_path)}
    command = [python, "-m", "benchmarks.first_contact", "--results", str(results)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "- pytest: " in done.stdout
    assert "- sklearn: " in done.stdout
    (contact,) = results.glob("first_contact/*/contact.json")
    doctor, *others = json.loads(contact.read_text())["parts"]
    (report,) = doctor["found"]
    wheels = next(one for one in report["sections"]["cupy"] if one["what"] == "CuPy wheels")
    assert f'-m pip install -e "{os.curdir}[cuda13]"' in wheels["fix"]
    assert "CuPy is not installed" in doctor["said"]
    assert {part["said"] for part in others} == {doctor["said"]}


# --- parts that end in every way ---

HANGS = """
import json, os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
folder = pathlib.Path(sys.argv[1]); folder.mkdir()
subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
                  "time.sleep(600)"], start_new_session=True)
(folder / "found.json").write_text(json.dumps({"absent": {}, "branches": {}, "products": [],
    "copies": [], "nodes": {"empty kernel": 1e-6}, "machine": {"gpu": {}}}))
print("ready", os.getpid(), flush=True)
time.sleep(600)
"""


def script(name, text, seconds=120.0, found="out", **more):
    words = ("-c", text, "{folder}/probe")
    return Part(name, seconds, words, words, found, **more)


DOCTOR = {"sections": {}, "backends": [{"what": "cupy", "found": "works", "ok": True}], "verdict": "A GPU."}
TRAINED = {"device": "cuda:0", "test_accuracy": 0.95, "seconds_per_epoch": 0.002}


def says(what):
    return f"print({json.dumps(json.dumps(what))})"


def test_a_part_that_hangs_is_ended_what_it_found_is_kept_and_the_rest_goes_on(tmp_path):
    parts = [
        script("doctor", says(DOCTOR)),
        script("probe", HANGS, 6.0, "probe/*.json"),
        script(
            "train-cuda",
            "import sys, pathlib; p = pathlib.Path(sys.argv[1]).with_name('contact.json'); "
            "sys.stderr.write(p.read_text()); " + says(TRAINED),
        ),
    ]
    contact = make_contact(tmp_path, tmp_path, parts=parts)
    states = {part["name"]: part["state"] for part in contact["parts"]}
    assert states == {"doctor": "done", "probe": "ended", "train-cuda": "done"}
    hung = contact["parts"][1]
    assert hung["found"][0]["nodes"] == {"empty kernel": 1e-6}
    assert hung["left"] == []
    before = json.loads((tmp_path / "train-cuda.log").read_text())  # what was there when the last one began
    assert [part["name"] for part in before["parts"]] == ["doctor", "probe"]
    assert json.loads((tmp_path / "contact.json").read_text()) == contact
    text = (tmp_path / "page.md").read_text()
    assert "| probe | 6 |" in text
    assert "probe was ended after" in text
    assert "what it found until then is below" in text
    assert "empty kernel 1.00 µs" in text
    assert "cuda:0: test accuracy 0.9500, 2.00 ms an epoch" in text
    assert exit_status(contact) == 1


def test_an_interruption_keeps_what_the_part_that_runs_has_found(tmp_path):
    interrupts = HANGS.replace("time.sleep(600)\n", "os.kill(os.getppid(), signal.SIGINT); time.sleep(600)\n")
    assert interrupts != HANGS
    parts = [script("probe", interrupts, 120.0, "probe/*.json"), script("train-cuda", says(TRAINED))]
    contact = make_contact(tmp_path, tmp_path, parts=parts)
    (part,) = json.loads((tmp_path / "contact.json").read_text())["parts"]
    assert [part] == contact["parts"]
    assert (part["state"], len(part["found"])) == ("ended", 1)
    assert exit_status(contact) == 1


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ("no NVIDIA driver was found", "no GPU"),
        ("fails: RuntimeError: unknown", "done"),
        ("computes wrong on cuda:0: a product", "done"),
    ],
)
def test_only_where_there_is_no_gpu_the_other_parts_do_not_run(tmp_path, found, state):
    backends = [{"what": "cupy", "found": found, "ok": False}]
    parts = [script("doctor", says(DOCTOR | {"backends": backends})), script("train-cuda", says(TRAINED))]
    contact = make_contact(tmp_path, tmp_path, parts=parts)
    assert [part["state"] for part in contact["parts"]] == [state, state]
    assert any(found in one["text"] for one in contact["look"] if one["rank"] == FAILURE)
    assert exit_status(contact) == (3 if state == "no GPU" else 1)


def test_what_is_missing_is_a_line_and_no_crash(tmp_path, monkeypatch):
    monkeypatch.setattr(first_contact, "find_spec", lambda name: None)
    monkeypatch.setattr(first_contact, "compute_sanitizer", lambda: None)
    parts = [script("doctor", says(DOCTOR)), script("train-cpu", "", needs="sklearn")]
    contact = make_contact(tmp_path, tmp_path, parts=parts)
    assert contact["parts"][1]["state"] == "not run"
    text = (tmp_path / "page.md").read_text()
    for name in (*first_contact.OPTIONAL, "compute-sanitizer"):
        assert f"- {name}: " in text
    assert "| train-cpu | 120 | 0 | not run | sklearn is not there. |" in text
    assert exit_status(contact) == 1


def test_a_part_that_fails_is_said_first_with_its_last_words(tmp_path):
    warns = "import warnings; warnings.warn('training steps on cuda:0 are launched one kernel at a time')"
    parts = [
        script("doctor", says(DOCTOR)),
        script("train-cuda", f"{warns}\n{says(TRAINED)}"),
        script("profile", "raise RuntimeError('no such kernel')", found="profile/*.json"),
    ]
    contact = make_contact(tmp_path, tmp_path, parts=parts)
    failures = [one["text"] for one in contact["look"] if one["rank"] == FAILURE]
    assert any("launched one kernel at a time" in text for text in failures)
    assert "profile failed (exit 1): RuntimeError: no such kernel See profile.log." in failures
    assert contact["look"][0]["rank"] == FAILURE


def test_with_all_the_time_there_is_no_budget(tmp_path):
    contact = make_contact(tmp_path, tmp_path, full=True, parts=[script("doctor", says(DOCTOR))])
    assert contact["parts"][0]["budget"] is None
    assert "| doctor | - |" in page(contact)
    assert exit_status(contact) == 0


# --- what is worth a look ---


def part_of(name, *found, state="done"):
    told = {"name": name, "budget": 1, "seconds": 1.0, "state": state, "status": 0, "left": [], "said": ""}
    return told | {"found": list(found), "log": f"{name}.log"}


def looked(*parts):
    contact = {"date": "2026-01-01", "parts": list(parts), "absent": {}}
    contact["look"] = look(contact)
    page(contact)  # whatever is found can be shown
    return {(one["rank"], one["text"]) for one in contact["look"]}


def kernel(**more):
    whole = {"verdict": "passed", "tests_passed": 4, "tests_failed": 0, "failures": [], "eps": {}}
    return whole | {"findings": {}} | more


def test_a_record_names_the_kernels_to_blame_first():
    record = {
        "gpu": "A GPU",
        "driver": "1",
        "cupy": "2",
        "verdict": "failed",
        "because": ["5 of 9 tests failed."],
        "kernels": {
            "advance": kernel(verdict="failed", tests_failed=1, failures=["t.py::a"]),
            "softmax<float>": kernel(verdict="failed", tests_passed=0, tests_failed=3, failures=["t.py::b"]),
            "dropout<float>": kernel(verdict="failed", findings={"memcheck": 7}),
            "adam<float>": kernel(),
        },
        "tests": {
            "passed": 4,
            "failed": 5,
            "not_run": {"t.py": 3},
            "devices_lost": ["cudaErrorIllegalAddress"],
            "not_collected": {"u.py": "No module named 'yaml'"},
        },
        "compute_sanitizer": {
            "initcheck": {"verdict": "clean", "library": {"void cutlass::Kernel2": 9}},
            "racecheck": {"verdict": "did not run", "said": "Device not supported"},
        },
    }
    contact = {"date": "2026-01-01", "parts": [part_of("record", record)], "absent": {}}
    contact["look"] = look(contact)
    texts = [one["text"] for one in contact["look"] if one["rank"] == FAILURE]
    assert texts[0] == "record, failed: 5 of 9 tests failed."
    order = [text.split(":")[0] for text in texts if text.startswith("kernel")]
    assert order == ["kernel dropout<float>", "kernel softmax<float>", "kernel advance"]
    assert "kernel softmax<float>: 3 of 3 tests failed. First: t.py::b." in texts
    assert "record: a test took the device with it: cudaErrorIllegalAddress" in texts
    notes = {one["text"] for one in contact["look"] if one["rank"] == NOTE}
    assert "initcheck, inside cuBLAS and not ours: 9 in void cutlass::Kernel2." in notes
    assert "record: tests that had no time: t.py 3." in notes
    assert "racecheck could not watch on this machine: Device not supported" in notes
    assert "record: u.py was left out: No module named 'yaml'" in notes
    text = page(contact)
    assert "A GPU, driver 1, CuPy 2: failed." in text
    assert "failed: 4 tests passed, 5 failed, 3 not run; 1 of 4 kernels passed" in text
    assert exit_status(contact) == 1


def test_a_record_that_is_incomplete_does_not_end_with_0():
    record = {"gpu": "A", "driver": "1", "cupy": "2", "verdict": "incomplete", "because": ["x."]}
    record |= {"kernels": {}, "compute_sanitizer": {}}
    contact = {"parts": [part_of("record", record)], "look": [{"rank": SURPRISE, "text": "x"}]}
    assert exit_status(contact) == 1
    record["verdict"] = "passed"
    assert exit_status(contact) == 0


COPIES = [
    {"bytes": 2**16, "seconds": 2e-6},
    {"bytes": 2**20, "seconds": 2e-6},
    {"bytes": 2**24, "seconds": 32e-6},
]


def test_the_floor_of_a_launch_is_a_copy_of_its_bytes():
    assert copy_seconds(1, COPIES) == 2e-6
    assert copy_seconds(2**21, COPIES) == pytest.approx(2e-6)
    assert copy_seconds(2**23, COPIES) == pytest.approx(8e-6)
    assert copy_seconds(2**26, COPIES) == pytest.approx(64e-6)
    assert copy_seconds(1, []) is None


def probe(**more):
    return {"absent": {}, "branches": {}, "products": [], "copies": COPIES, "nodes": {}} | more


def profile(launches, steps):
    return part_of("profile", {"profiles": [{"network": "N", "launches": launches, "steps": steps}]})


def test_a_launch_far_from_its_floor_is_a_surprise_and_one_near_is_none():
    far = {"name": "far", "bytes": 1000, "seconds": 6.2e-6}
    near = {"name": "near", "bytes": 1000, "seconds": 5.8e-6}
    found = looked(part_of("probe", probe()), profile([far, near], {"1": 12e-6, "2": 11e-6}))
    assert found == {(SURPRISE, "profile: far in N takes 6.20 µs, 3.1 times a copy of its bytes.")}


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ({"1": 1e-5, "2": 2e-5}, "profile: N is slower on two streams: 20.0 µs, on one 10.0 µs."),
        (
            {"2": 3e-5},
            "profile: a step of N takes 30.0 µs, its launches one by one 10.0 µs: what stands between them?",
        ),
    ],
)
def test_what_a_step_takes_beside_its_launches(steps, text):
    launches = [{"name": "product", "flops": 1, "seconds": 1e-5}]
    assert looked(profile(launches, steps)) == {(SURPRISE, text)}


def test_a_fork_that_gains_nothing_and_products_outside_a_graph_are_surprises():
    branches = {"two: the first alone": 1e-6, "two: both, forked and joined": 2.5e-6}
    products = [{"in_graph": False}, {"in_graph": True}]
    texts = {text for _, text in looked(part_of("probe", probe(branches=branches, products=products)))}
    assert any("the second stream gains nothing there" in text for text in texts)
    assert "probe: 1 products were called by the host, not held in a graph." in texts


@pytest.mark.parametrize(
    ("gpu", "rank", "text"),
    [
        ({"seconds_per_epoch": 0.02}, SURPRISE, "The GPU is slower. train digits: an epoch takes 20.0 ms"),
        ({}, NOTE, "train digits: an epoch takes 2.00 ms on the GPU, 10.0 ms on the CPU."),
        (
            {"test_accuracy": 0.5},
            SURPRISE,
            "train digits: test accuracy 0.5000 on the GPU, 0.9500 on the CPU.",
        ),
        ({"device": "cpu"}, FAILURE, "train digits --device cuda trained on cpu."),
    ],
)
def test_the_same_training_on_both_devices(gpu, rank, text):
    cpu = TRAINED | {"device": "cpu", "seconds_per_epoch": 0.01}
    found = looked(part_of("train-cuda", TRAINED | gpu), part_of("train-cpu", cpu))
    assert any(kind == rank and said.startswith(text) for kind, said in found)


def row(name, table, microseconds, **more):
    return {"name": name, "table": table, "times": [1e-6 * microseconds] * 21} | more


def test_who_is_faster_and_how_far_from_the_floor():
    rows = [
        row("fuseprop", "step", 40),
        row("JAX scan", "step", 20),
        row("products", "products", 8),
        row("copy", "copy", 2),
        row("fuseprop", "fit", 40, refused="loss 1.0"),
        row("PyTorch", "fit", 1, error="died"),
    ]
    networks = [{"network": "64-64-10-b128", "rows": rows}, {"network": "784-128-10-b128", "rows": []}]
    peers = [{"name": "Keras", "absent": "No module named 'keras'"}]
    found = looked(part_of("comparison", {"networks": networks, "peers": peers}))
    assert found == {
        (FAILURE, "comparison: 64-64-10, 128, ours (fit): refused by the gate: loss 1.0."),
        (SURPRISE, "comparison: our step of 64-64-10, 128 is 4.0 times its floor."),
        (SURPRISE, "comparison: 64-64-10, 128, step: JAX scan takes 0.50 of our time."),
        (NOTE, "comparison: 64-64-10, 128, PyTorch (fit): failed: died."),
        (NOTE, "comparison: 784-128-10, 128 had no time."),
        (NOTE, "comparison: Keras is absent: No module named 'keras'"),
    }


def test_a_page_stays_one_page():
    parts = [part_of("doctor", state="failed") | {"said": f"{i} | " + "x" * 900} for i in range(40)]
    contact = {"date": "2026-01-01", "parts": [], "absent": {}}
    contact["look"] = look(contact | {"parts": parts})
    text = page(contact)
    assert len(text.splitlines()) < 60
    assert "28 more are in contact.json." in text


def test_a_line_to_type_is_never_cut_and_what_is_cut_is_marked():
    command = 'pip install -e ".[cuda13]" (CUDA 13) or pip install -e ".[cuda12]" (older drivers)'
    finding = {"what": "cublas", "found": "not usable " + "x" * 400, "ok": False, "fix": command}
    backends = [{"what": "cupy", "found": f"{'y' * 250}. Type: {command}.", "ok": False}]
    doctor = part_of("doctor", DOCTOR | {"sections": {"cupy": [finding]}, "backends": backends})
    failed = part_of("probe", state="failed")
    failed["said"] = first_contact._last_line(f"{'z' * 500}. Type: {command}.")
    contact = {"date": "2026-01-01", "parts": [doctor, failed], "absent": {}}
    contact["look"] = look(contact)
    text = page(contact)
    assert text.count(f"Type: {command}.") == 3
    assert f"... Type: {command}. See probe.log." in text
    assert "x" * 300 not in text


# --- where nothing can be written ---


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /proc and /dev/full")
@pytest.mark.parametrize("folder", ["/proc/x", "/dev/null/x"])
@pytest.mark.parametrize("program", [first_contact.main, compare.main], ids=["first contact", "compare"])
def test_a_folder_that_cannot_be_is_refused_before_anything_is_measured(program, folder):
    option = "--results" if program is first_contact.main else "--output"
    done = CliRunner().invoke(program, [option, folder])
    assert done.exit_code == 2, done.output
    assert f"{option}: no file can be written in {folder}" in done.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /proc and /dev/full")
def test_outlets_that_are_full_take_nothing_along(tmp_path):
    """In a process of its own: Python tries once more at its end, and fails the process if that fails."""
    script = (
        "import sys; from benchmarks import first_contact\n"
        f"doctor = first_contact.Part('doctor', 60, ('-c', {says(DOCTOR)!r}), (), 'out')\n"
        "first_contact.PARTS = [doctor]\n"
        "first_contact.main(['--results', sys.argv[1]])"
    )
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", script, str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=full, check=False)
    assert done.returncode == 0
    (text,) = tmp_path.glob("first_contact/*/page.md")
    assert "| doctor | 60 |" in text.read_text()
