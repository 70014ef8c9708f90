"""The record of a GPU, made on a machine that has none: fakes stand for what it finds."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import cupy
import hardware_plugin
import record_hardware
from fuseprop_cupy.device.blas import Blas
from fuseprop_cupy.device.device import Device
from fuseprop_cupy.device.kernel_list import KERNELS, source_hashes
from fuseprop_cupy.device.nodes import Copy, Multiply, Run
from host_compiler import read
from host_device import HostRunBackend
from host_kernels import HostKernels
from judging import INCOMPLETE, judged
from kernel_errors import Measurement, captured
from kernel_errors import main as measure
from launched import ALL, PRODUCT, noted
from left_behind import Lines, lines_of
from own import kernels
from record_hardware import Time, make_record, measure_errors, run_tests, sanitize
from test_sanitizer import IN_CUBLAS, IN_OURS, watched
from train_tiny import TASKS, train
from verification import FAILED, PASSED, RESULTS, kernels_by_file, records, unverified

from benchmarks.first_contact import OPTIONAL
from benchmarks.timed import Ended

FACTS = {"gpu": "no GPU: fakes, in a test"}
LAUNCH = """
from types import SimpleNamespace
from fuseprop_cupy.device.device import Device
def launch(name):
    device = object.__new__(Device)
    device._functions = {name: lambda *arguments: None}
    device.run(SimpleNamespace(expression=name, block=(1,)), (1,), ())
"""


@pytest.fixture
def fakes(tmp_path):
    """Write test files, and run them as a record would, in so many seconds."""

    def write_and_run(files, *options, first=(), processes=1, **more):
        folder = tmp_path / "fakes"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.py").write_text(LAUNCH + text)
        results = tmp_path / "results"
        results.mkdir(exist_ok=True)
        env = {**record_hardware.environment(tmp_path), **more}
        stages = [[str(folder / f"{name}.py")] for name in first]
        return run_tests(results, env, Time(600).part(1), [*stages, [str(folder)]], options, processes)

    return write_and_run


def test_tests_are_counted_with_the_kernels_that_they_launched(fakes):
    """By another pytest, which finds the backends by their entry points."""
    found = fakes(
        {
            "test_it": "import pytest\n"
            "from importlib.metadata import entry_points\n"
            "def test_passes():\n"
            "    assert any(point.name == 'cupy' for point in entry_points(group='fuseprop.backends'))\n"
            "    launch('softmax<float>'); launch('softmax<float>'); launch('advance')\n"
            "def test_fails(): launch('advance'); assert 'this' == 'that'\n"
            "def test_is_skipped(): pytest.skip('for a reason')\n"
        }
    )
    counts = [found[kind] for kind in ("collected", "passed", "failed", "skipped", "exit", "processes")]
    assert counts == [3, 1, 1, 1, 1, 1]
    (failure,) = found["failures"]
    assert failure["test"].endswith("test_it.py::test_fails")
    assert "AssertionError" in failure["text"]
    assert failure["launched"] == ["advance"]
    assert found["kernels"]["softmax<float>"] == {"passed": 1, "failures": []}
    assert found["kernels"]["advance"] == {"passed": 1, "failures": [failure["test"]]}
    assert found["skips"] == {"Skipped: for a reason": 1}
    assert found["not_run"] == {}


def test_what_does_not_fit_is_not_run_and_what_was_found_is_kept(fakes, tmp_path):
    slow = (
        "import os, signal, time\n"
        "def test_waits():\n"
        "    launch('softmax<float>')\n"
        "    os.kill(os.getppid(), signal.SIGINT)  # the time of the one who records is over\n"
        "    time.sleep(600)\n"
        "def test_later(): pass\n"
    )
    found = fakes({"test_a": "def test_first(): launch('advance')\n", "test_b": slow})
    assert (found["collected"], found["passed"], found["failed"], found["exit"]) == (3, 1, 0, None)
    assert [test.rpartition("::")[2] for test in found["interrupted"]] == ["test_waits"]
    assert {Path(file).name: number for file, number in found["not_run"].items()} == {"test_b.py": 2}
    assert found["kernels"]["advance"] == {"passed": 1, "failures": []}
    assert found["kernels"]["softmax<float>"] == {"passed": 0, "failures": []}
    assert "test_first PASSED" in (tmp_path / "results" / "tests.log").read_text()


FATALITIES = """
import os, signal, time, hardware_plugin
hardware_plugin.device_error = lambda: os.environ.pop('LOST', None)
def test_1_ends_the_process():
    launch('softmax<float>'); launch('advance'); os.kill(os.getpid(), signal.SIGSEGV)
def test_2_passes(): launch('advance')
def test_3_loses_the_device(): os.environ['LOST'] = 'cudaErrorIllegalAddress'; assert 0
def test_4_never_ends(): launch('square_root<float>'); time.sleep(600)
def test_5_passes(): launch('softmax<float>')
"""


def test_what_takes_the_process_or_the_device_with_it_does_not_take_the_others(fakes):
    found = fakes({"test_it": FATALITIES}, "--most=3")
    assert (found["passed"], found["failed"], found["not_run"], found["processes"]) == (2, 3, {}, 4)
    why = {failure["test"].rpartition("::")[2]: failure for failure in found["failures"]}
    assert why["test_1_ends_the_process"]["launched"] == ["softmax<float>", "advance"]
    assert f"with {-signal.SIGSEGV}" in why["test_1_ends_the_process"]["text"]
    assert "test_4_never_ends" in why["test_4_never_ends"]["text"]  # in the trace of the thread
    assert found["devices_lost"] == ["cudaErrorIllegalAddress"]
    assert found["kernels"]["advance"]["passed"] == 1
    assert len(found["kernels"]["advance"]["failures"]) == 1


def test_processes_share_the_tests_and_go_on_each_after_what_ends_it(fakes, tmp_path):
    """Of the six, in the order of their names, one takes the first, the third and the fifth."""
    threads = "def test_6_has_one_thread():\n    assert os.environ['OMP_NUM_THREADS'] == '1'\n"
    found = fakes({"test_it": FATALITIES + threads}, "--most=3", processes=2)
    assert (found["collected"], found["passed"], found["failed"], found["not_run"]) == (6, 3, 3, {})
    assert (found["processes"], found["exit"], found["not_collected_in_time"]) == (5, 0, [])
    began = [
        [line["began"].rpartition("::test_")[2][0] for line in lines_of(path) if "began" in line]
        for path in sorted((tmp_path / "results").glob("tests-?.jsonl"))
    ]
    assert began == [["1", "3", "5"], ["2", "4", "6"]]
    (failed,) = found["kernels"]["softmax<float>"]["failures"]
    assert failed.endswith("test_1_ends_the_process")
    assert found["kernels"]["softmax<float>"]["passed"] == 1


def test_a_file_that_cannot_be_imported_is_told_and_the_others_run(fakes):
    found = fakes({"test_a": "import not_installed_anywhere\n", "test_b": "def test_it(): pass\n"})
    assert found["passed"] == 1
    (told,) = found["not_collected"].items()
    assert told[0].endswith("test_a.py")
    assert "No module named 'not_installed_anywhere'" in told[1]


def test_the_files_that_matter_are_collected_and_run_before_the_others(fakes, tmp_path):
    """Each test runs once, and a stage that died is done before the next one begins."""
    dies = "import os, signal\ndef test_1(): os.kill(os.getpid(), signal.SIGKILL)\ndef test_2(): pass\n"
    found = fakes({"test_a": "def test_0(): pass\n", "test_b": dies}, first=["test_b"])
    order = [
        line["began"].rpartition("::")[2]
        for line in lines_of(tmp_path / "results" / "tests.jsonl")
        if "began" in line
    ]
    assert order == ["test_1", "test_2", "test_0"]
    assert (found["collected"], found["passed"], found["failed"], found["processes"]) == (3, 2, 1, 3)
    assert found["not_collected_in_time"] == []
    assert "problem" not in found


ONCE = """
import os, pathlib
here = pathlib.Path(__file__).with_name('imported')
assert not here.exists(), 'a second time'
here.touch()
def test_1(): assert 0
def test_2(): assert 0
"""


def test_what_a_later_process_no_longer_collects_still_counts(fakes):
    found = fakes({"test_a": "def test_0(): assert 0\n", "test_b": ONCE}, first=["test_b"])
    assert [found[kind] for kind in ("collected", "failed", "processes")] == [3, 3, 2]
    assert (found["not_run"], found["not_collected"], found["telling_not_run"]) == ({}, {}, [])
    assert f"3 of {found['collected']} tests failed." in judged(good() | {"tests": found})["because"]


def test_what_was_not_even_collected_is_told(fakes):
    slow = "import os, signal, time\nos.kill(os.getppid(), signal.SIGINT)\ntime.sleep(600)\n"
    found = fakes({"test_a": "def test_it(): pass\n", "test_b": slow}, first=["test_a"])
    assert (found["collected"], found["passed"]) == (1, 1)
    assert [Path(file).name for file in found["not_collected_in_time"]] == ["fakes"]


def test_a_pytest_that_collects_nothing_says_why(fakes):
    found = fakes({}, "--no-such-option")
    assert "unrecognized arguments: --no-such-option" in found["problem"]


def test_a_fault_of_the_device_is_told_from_other_errors(monkeypatch):
    def raising(status):
        def synchronize():
            raise error

        error = Exception.__new__(cupy.cuda.runtime.CUDARuntimeError)
        fake = SimpleNamespace(CUDARuntimeError=type(error), deviceSynchronize=synchronize)
        error.status = status
        monkeypatch.setattr(cupy.cuda, "runtime", fake)

    assert hardware_plugin.device_error() is None  # there is no device, which is no fault of one
    raising(700)
    assert hardware_plugin.device_error() is not None
    raising(2)
    assert hardware_plugin.device_error() is None


def test_the_most_telling_tests_come_first_and_each_function_once_before_any_twice():
    def item(name, module, function):
        return SimpleNamespace(name=name, function=SimpleNamespace(__module__=module, __qualname__=function))

    contract = "fuseprop.testing.contract"
    items = [
        *(item(f"other[{i}]", "test_network", "other") for i in range(2)),
        *(item(f"loss[{i}]", f"{contract}.losses", "loss") for i in range(2)),
        *(item(f"replay[{i}]", f"{contract}.replay", "replay") for i in range(3)),
        *(item(f"modes[{i}]", "test_modes", "modes") for i in range(2)),
        item("gradient", "test_gradients", "gradient"),
    ]
    names = [one.name for one in hardware_plugin.in_order(items)]
    assert " ".join(names) == (
        "replay[0] modes[0] replay[1] modes[1] replay[2] loss[0] loss[1] gradient other[0] other[1]"
    )


AS_ON_A_BARE_GPU = """
import sys, fuseprop.testing
sys.modules |= dict.fromkeys({})
fuseprop.testing._why_not = lambda wanted: None
"""


def test_the_modules_that_matter_are_there_without_anything_optional(tmp_path):
    """What FIRST names is what the tests are called, and a record can pass with what it says it needs."""
    results = tmp_path / "results.jsonl"
    absent = [name for name in OPTIONAL if name not in ("pytest", "nvmath")]  # whose absence stands in it
    (tmp_path / "bare.py").write_text(AS_ON_A_BARE_GPU.format(absent))
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "hardware_plugin", f"--results={results}", "-m", "gpu", "--backends=cupy", "-p", "bare"]
    files = ["core/test_contract", "core/test_threads", "cuda/test_modes", "cuda/test_every_kernel"]
    files = [f"tests/{file}.py" for file in files]
    env = record_hardware.environment(tmp_path)
    env["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    done = subprocess.run(
        [*command, *files],
        cwd=record_hardware.ROOT,
        env={**env, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # those of what is absent
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    (told,) = lines_of(results)
    assert told["missing"] == []
    assert len(told["telling"]) == sum(told["collected"].values()) - told["collected"][files[1]]
    assert "test_each_step" in done.stdout.splitlines()[0] or "replay" in done.stdout.splitlines()[0]


def node(kernel):
    return Run(kernel, (1,), ())


def test_every_way_to_launch_is_noted(monkeypatch):
    """On the classes that only a GPU runs, with what CUDA does left out."""
    kernel, advance = (kernels(np.dtype("float32"))[name] for name in ("softmax<float>", "advance"))
    device = object.__new__(Device)
    device._functions = {"softmax<float>": SimpleNamespace(kernel=lambda *a: "launched")}
    device._functions["advance"] = lambda *a: None
    device._products = SimpleNamespace(multiply=lambda a, b, out: None)
    functions = SimpleNamespace(function=SimpleNamespace(CIntptr=None))
    device._cupy = SimpleNamespace(dot=lambda a, b, out: None, cuda=functions)
    device.array_type = np.ndarray
    array = SimpleNamespace(
        data=SimpleNamespace(copy_from_device_async=lambda *a: "copied", ptr=0), nbytes=0, shape=(1, 1)
    )
    blas = object.__new__(Blas)
    monkeypatch.setattr(Blas, "product", lambda self, a, b, out: lambda: "multiplied")
    seen = []
    with noted(seen.append):
        device.run(advance, (1,), ())
        calls = [device.prepare(one) for one in (node(kernel), Multiply(array, array, array))]
        copy = device.prepare(Copy(array, array))
        product = blas.product(array, array, array)
        assert seen == ["advance"]  # what is prepared has not been launched
        assert calls[0]() == "launched"
        calls[1]()
        assert copy() == "copied"
        assert product() == "multiplied"
        product()
        device.multiply(array, array, array)
    assert dict.fromkeys(seen) == dict.fromkeys(["advance", "softmax<float>", PRODUCT])
    before = len(seen)
    device.run(advance, (1,), ())
    assert len(seen) == before


# --- the verdicts ---


def good():
    """What the parts find where everything is well."""
    line = {"passed": 2, "failures": []}
    counts = {"collected": 9, "passed": 9, "failed": 0, "skipped": 0}
    tests = {**counts, "kernels": dict.fromkeys(ALL, line), "missing": [], "telling_not_run": []}
    steps = {"works": True, "said": "work"}
    errors = {
        "captured": {"float32": steps, "float64": steps},
        "errors": {"float32": {"advance": {"eps": 0.5}}, "float64": {}},
        "done": ["float32", "float64"],
    }
    return {
        "date": "2026-01-01",
        **FACTS,
        "sources": source_hashes(),
        "unfinished": [],
        "tests": tests,
        "errors": errors,
        "compute_sanitizer": {name: {"verdict": "absent"} for name in record_hardware.TOOLS},
    }


def tool(text, name="initcheck", **more):
    return {name: record_hardware.verdict(name, text, status=0, seconds=1, watched=[], done=True) | more}


def test_a_record_in_which_everything_ran_has_passed():
    record = judged(good())
    assert (record["verdict"], record["because"]) == (PASSED, [])
    assert {one["verdict"] for one in record["kernels"].values()} == {PASSED}


@pytest.mark.parametrize(
    ("part", "found", "verdict", "because"),
    [
        ("tests", {"failed": 1}, FAILED, "1 of 9 tests failed."),
        ("tests", {"problem": "pytest ended with 3: x"}, FAILED, "The tests: pytest ended with 3: x"),
        ("tests", {"telling_not_run": ["a", "b"]}, INCOMPLETE, "2 of the tests that matter did not run."),
        ("tests", {"missing": ["test_modes"]}, INCOMPLETE, "No test of test_modes was collected."),
        (
            "tests",
            {"kernels": {}},
            INCOMPLETE,
            "No test finished that launched bias_activation<",
        ),
        ("errors", {"problem": "ended with -6: x"}, FAILED, "The errors of the kernels: ended with -6: x"),
        ("errors", {"done": ["float32"]}, INCOMPLETE, "The errors of the kernels: not all were measured."),
        (
            "errors",
            {"captured": {"float32": {"works": False, "said": "ZeroDivisionError: x"}}},
            FAILED,
            "Steps in float32 are not captured: ZeroDivisionError: x",
        ),
        (
            "errors",
            {"errors": {"float32": {"advance": {"eps": 1e7}}}},
            FAILED,
            "advance: an error of 1e+07 eps.",
        ),
        (
            "errors",
            {"errors": {"float32": {"advance": {"eps": float("nan")}}}},
            FAILED,
            "advance: an error of nan eps.",
        ),
        (
            "compute_sanitizer",
            tool(watched(IN_OURS)),
            FAILED,
            "initcheck: findings in bias_activation<float, Sigmoid>.",
        ),
        ("compute_sanitizer", {"memcheck": {"verdict": "failed", "ours": {}}}, FAILED, "memcheck: failed."),
        (
            "compute_sanitizer",
            {"memcheck": {"verdict": "not finished"}},
            INCOMPLETE,
            "memcheck: not",
        ),
        ("compute_sanitizer", tool(watched(IN_CUBLAS)), PASSED, None),
        ("compute_sanitizer", {"memcheck": {"verdict": "did not run"}}, PASSED, None),
    ],
)
def test_what_speaks_against_a_record(part, found, verdict, because):
    record = good()
    record[part] = record[part] | found
    made = judged(record)
    assert made["verdict"] == verdict
    assert [because] == [line[: len(because)] for line in made["because"]] if because else not made["because"]


def test_a_process_that_cannot_be_ended_speaks_against_a_record(tmp_path, monkeypatch):
    monkeypatch.setattr(record_hardware, "run", lambda *a, **more: Ended(None, 1.0, (4711,)))
    made = make_record(FACTS, tmp_path / "hardware-1.json", 60)
    assert made["left_running"][0] == 4711
    assert judged(good() | {"left_running": [4711]})["because"] == ["Processes [4711] could not be ended."]


@pytest.mark.parametrize("unfinished", [["tests", "memcheck"], ["memcheck"]])
def test_parts_that_did_not_run_leave_a_record_incomplete(unfinished):
    record = good() | {"unfinished": unfinished}
    assert judged(record)["verdict"] == INCOMPLETE
    assert f"{unfinished[0]} did not run." in judged(record)["because"]


@pytest.mark.parametrize(
    ("ran", "findings", "verdict"),
    [
        ({"passed": 3, "failures": []}, {}, PASSED),
        ({"passed": 3, "failures": ["test"]}, {}, FAILED),
        ({"passed": 0, "failures": []}, {}, "not run"),
        ({"passed": 3, "failures": []}, {"softmax<float>": 2}, FAILED),
    ],
)
def test_a_kernel_is_judged_by_what_ran_on_it_alone(ran, findings, verdict):
    record = good()
    record["tests"]["kernels"] = record["tests"]["kernels"] | {"softmax<float>": ran}
    record["compute_sanitizer"] = {"memcheck": {"verdict": "findings", "ours": findings}}
    made = judged(record)
    assert made["kernels"]["softmax<float>"]["verdict"] == verdict
    others = {one["verdict"] for name, one in made["kernels"].items() if name != "softmax<float>"}
    assert others == {PASSED}
    state = {PASSED: None, "not run": "never verified on hardware"}
    expected = state.get(verdict, f"failed on hardware ({FACTS['gpu']}, 2026-01-01)")
    lines = [] if expected is None else [f"losses.cu: {expected}: softmax<float>"]
    assert unverified(source_hashes(), [made]) == lines


def test_a_kernel_that_no_record_ran_is_never_verified():
    never = [f"{file}: never verified on hardware" for file in source_hashes()]
    assert unverified(source_hashes(), []) == never
    old = {"date": "2026-01-01", "verdict": PASSED, "gpu": "A", "sources": source_hashes()}
    assert unverified(source_hashes(), [old]) == never


def test_a_changed_source_is_unverified_since_the_last_record_that_passed():
    hashes = source_hashes()
    old = judged(good()) | {"sources": hashes | {"losses.cu": "other"}}
    assert unverified(hashes, [old]) == ["losses.cu: unverified on hardware since 2026-01-01"]
    assert hashes.keys() == {path.name for path in KERNELS.glob("*.cu")}


def test_the_last_word_of_each_gpu_counts():
    hashes = source_hashes()
    names = kernels_by_file()["dropout.cu"]
    failed = good() | {"date": "2026-02-02", "gpu": "B"}
    failed["tests"] = failed["tests"] | {
        "kernels": failed["tests"]["kernels"] | {names[0]: {"passed": 1, "failures": ["test"]}}
    }
    both = [judged(good()), judged(failed)]
    assert unverified(hashes, both) == [f"dropout.cu: failed on hardware (B, 2026-02-02): {names[0]}"]
    mended = judged(good() | {"date": "2026-03-03", "gpu": "B"})
    assert unverified(hashes, [*both, mended]) == []


def test_every_kernel_stands_in_one_file():
    files = kernels_by_file()
    listed = [name for names in files.values() for name in names]
    assert sorted(listed) == sorted(set(ALL) - {PRODUCT})


# --- compute-sanitizer ---

FAKE = """#!{python}
import sys
assert sys.argv[1] == "--tool" and "--error-exitcode" in sys.argv and "--print-limit" in sys.argv, sys.argv
again = "--kernel-name-exclude" in sys.argv
print(open("{folder}/again" if again else "{folder}/first").read())
if again:
    open("{folder}/excluded", "w").write(sys.argv[sys.argv.index("--kernel-name-exclude") + 1])
sys.exit({status})
"""


@pytest.fixture
def fake_tool(tmp_path):
    def write(first, status=0, again=""):
        for name, text in (("first", first), ("again", again)):
            (tmp_path / name).write_text(text)
        path = tmp_path / "compute-sanitizer"
        path.write_text(FAKE.format(python=sys.executable, folder=tmp_path, status=status))
        path.chmod(0o755)
        env = {**os.environ, "PATH": str(tmp_path)}
        logs = Path(mkdtemp(dir=tmp_path))
        return sanitize("initcheck", logs, env, "program.py", Time(300).part(1))

    return write


LAUNCHED = '{"launched": ["advance"]}\n{"launched": ["adv'


@pytest.mark.parametrize(
    ("said", "status", "verdict"),
    [
        (watched(errors=0), 0, "clean"),
        (watched(IN_OURS), 86, "findings"),
        (watched(IN_CUBLAS), 86, "clean"),
        ("========= Error: Device not supported", 1, "did not run"),
        (watched(errors=0).replace('{"trained": true}', ""), 1, "failed"),
    ],
)
def test_what_compute_sanitizer_says(fake_tool, said, status, verdict):
    found = fake_tool(LAUNCHED + "\n" + said.replace('{"launched": []}\n', ""), status)
    assert found["verdict"] == verdict
    assert found["watched"] == ["advance"]


def test_where_cublas_fills_what_is_printed_it_is_left_out_and_ours_are_found(fake_tool, tmp_path):
    found = fake_tool(watched(IN_CUBLAS, errors=5000), 86, again=watched(IN_OURS))
    assert found["verdict"] == "findings"
    assert found["ours"] == {"bias_activation<float, Sigmoid>": 1}
    assert sum(found["library"].values()) == 1
    assert (tmp_path / "excluded").read_text() == "kns=Kernel2"
    assert fake_tool(watched(IN_CUBLAS, errors=5000), 86, again=watched(errors=0))["verdict"] == "clean"


def test_a_tool_that_is_not_there_is_absent(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.checkout.TOOLKITS", ())
    found = sanitize("memcheck", tmp_path, {"PATH": str(tmp_path)}, "program.py", Time(300).part(1))
    assert found == {"verdict": "absent"}


def test_a_tool_that_path_does_not_tell_of_is_found_in_the_toolkit(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.checkout.TOOLKITS", (str(tmp_path),))
    tool = tmp_path / "compute-sanitizer"
    tool.write_text("")
    tool.chmod(0o755)
    assert record_hardware.compute_sanitizer("/nowhere") == str(tool)


# --- the whole ---


@pytest.fixture
def parts(monkeypatch):
    """Parts that find what is good at once, and what each was given and found written down when it began."""
    seen = []

    def note(name, part, path):
        seen.append((name, part.left, json.loads(path.read_text())))

    def errors(folder, env, part):
        note("errors", part, folder.with_suffix(".json"))
        return good()["errors"]

    def tests(folder, env, part, stages, processes):
        note("tests", part, folder.with_suffix(".json"))
        return good()["tests"]

    def sanitize(tool, folder, env, program, part):
        note(tool, part, folder.with_suffix(".json"))
        return {"verdict": "clean"}

    for name, function in (("measure_errors", errors), ("run_tests", tests), ("sanitize", sanitize)):
        monkeypatch.setattr(record_hardware, name, function)
    monkeypatch.setattr(record_hardware.shutil, "which", lambda name, **more: f"/bin/{name}")
    return seen


def test_the_time_is_divided_and_what_one_part_leaves_the_others_have(parts, tmp_path):
    record = make_record(FACTS, tmp_path / "hardware-1.json", 105)
    assert record["verdict"] == PASSED
    names = [name for name, _, _ in parts]
    assert names == list(record_hardware.SHARES)
    given = {name: left for name, left, _ in parts}
    assert given["errors"] <= 15  # of 100, after what is kept to end and write
    assert given["tests"] > 45  # 45 of the 85 that stay are its own, and errors left all of theirs
    assert all(left <= 100 for left in given.values())
    assert given["synccheck"] > 80  # the last has what is left


def test_the_record_stands_on_the_disk_after_each_part(parts, tmp_path):
    path = tmp_path / "hardware-1.json"
    record = make_record(FACTS, path, 60)
    written = [(before["verdict"], before["unfinished"][0]) for _, _, before in parts]
    assert written == [(INCOMPLETE, name) for name in record_hardware.SHARES]
    assert records(tmp_path) == [json.loads(path.read_text())] == [record]
    assert unverified(source_hashes(), records(tmp_path)) == []
    assert tmp_path != RESULTS


def test_with_several_processes_each_part_has_all_of_the_time(parts, tmp_path):
    path = tmp_path / "hardware-1.json"
    record = make_record(FACTS, path, 105, 2)
    assert (record["verdict"], record["unfinished"]) == (PASSED, [])
    assert sorted(name for name, _, _ in parts) == sorted(record_hardware.SHARES)
    assert all(90 < left <= 100 for _, left, _ in parts)
    assert json.loads(path.read_text()) == record


ENDED_WITH_ALL = """
import os, signal, sys, time
sys.path.insert(0, "tests/cuda")
import record_hardware as r
from pathlib import Path

r.compute_sanitizer = lambda path=None: None
folder = Path(sys.argv[1])

def waits(folder, env, part):
    code = f"import os, signal, time; os.kill({os.getpid()}, signal.SIGTERM); time.sleep(600)"
    part.run([sys.executable, "-c", code], folder / "errors.log", env=env)
    return {"seconds": part.taken}

r.measure_errors = waits
r.run_tests = lambda folder, env, part, stages, processes: {"collected": 0}
signal.signal(signal.SIGTERM, signal.default_int_handler)
record = r.make_record({"gpu": "x"}, folder / "hardware-1.json", 300, 2)
assert record["unfinished"] == [] and record["errors"]["seconds"] < 200, record
"""


def test_an_interruption_ends_all_that_runs_at_once(tmp_path):
    command = [sys.executable, "-c", ENDED_WITH_ALL, tmp_path]
    subprocess.run(command, cwd=record_hardware.ROOT, check=True, timeout=250)
    assert [record["unfinished"] for record in records(tmp_path)] == [[]]


def test_the_commit_is_what_the_environment_says_or_else_gits(monkeypatch, tmp_path):
    monkeypatch.setenv(record_hardware.COMMIT, "0123abcd")
    assert record_hardware.commit() == {"commit": "0123abcd", "commit_from": "FUSEPROP_COMMIT"}
    monkeypatch.delenv(record_hardware.COMMIT)
    inside = {"commit", "changed_files"}
    assert record_hardware.commit().keys() == inside or not (record_hardware.ROOT / ".git").exists()
    monkeypatch.setattr(record_hardware, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert record_hardware.commit() == {"commit": "unknown: not a git checkout"}


def test_without_compute_sanitizer_its_time_is_the_others(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(record_hardware.shutil, "which", lambda name, **more: None)
    record = make_record(FACTS, tmp_path / "hardware-1.json", 105)
    assert [name for name, _, _ in parts] == ["errors", "tests"]
    assert record["verdict"] == PASSED
    assert {said["verdict"] for said in record["compute_sanitizer"].values()} == {"absent"}


def test_without_pytest_the_tools_still_run(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(record_hardware, "find_spec", lambda name: None)
    record = make_record(FACTS, tmp_path / "hardware-1.json", 60)
    assert [name for name, _, _ in parts] == list(record_hardware.TOOLS)
    assert record["verdict"] == INCOMPLETE
    assert "The tests: pytest is not installed." in record["because"]


def test_a_record_that_is_asked_to_end_keeps_what_its_part_found(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(record_hardware, "run_tests", run_tests)

    def interrupted(command, seconds, log, **options):
        lines = [
            {"collected": {"t.py": 3}, "telling": ["t.py::b"], "missing": [], "not_collected": {}},
            {"began": "t.py::a"},
            {"test": "t.py::a", "launched": "advance"},
            {"test": "t.py::a", "outcome": PASSED, "text": ""},
            {"began": "t.py::b"},
        ]
        (log.parent / "tests.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"test": "cut of')
        raise KeyboardInterrupt

    monkeypatch.setattr(record_hardware, "run", interrupted)
    record = make_record(FACTS, tmp_path / "hardware-1.json", 60)
    assert record["verdict"] == INCOMPLETE
    assert record["unfinished"] == list(record_hardware.TOOLS)
    assert (record["tests"]["passed"], record["tests"]["not_run"]) == (1, {"t.py": 2})
    assert record["tests"]["interrupted"] == ["t.py::b"]
    assert record["kernels"]["advance"]["verdict"] == PASSED
    assert json.loads((tmp_path / "hardware-1.json").read_text()) == record


@pytest.fixture
def on_a_gpu(monkeypatch):
    monkeypatch.setattr(record_hardware, "CupyBackend", lambda dtype: None)
    monkeypatch.setattr(record_hardware, "gpu_facts", lambda: FACTS)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(("verdict", "status"), [(PASSED, 0), (FAILED, 1), (INCOMPLETE, 1)])
def test_the_command_ends_with_0_only_where_the_record_passed(
    on_a_gpu, monkeypatch, tmp_path, capsys, verdict, status
):
    made = {"verdict": verdict, "because": ["A sentence."] * status}
    monkeypatch.setattr(record_hardware, "make_record", lambda *given: made | {"s": given[2]})
    with pytest.raises(SystemExit) as ended:
        record_hardware.main(["--seconds", "180", "--output", str(tmp_path)])
    assert ended.value.code == status
    assert capsys.readouterr().out.startswith(f"{verdict}: {tmp_path}")


def test_a_request_to_end_is_an_interruption(on_a_gpu, monkeypatch, tmp_path):
    monkeypatch.setattr(record_hardware, "make_record", lambda *a: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        record_hardware.main(["--output", str(tmp_path)])


@pytest.mark.parametrize("seconds", ["3", "-1", "nan", "inf"])
def test_too_little_time_is_refused(seconds, capsys):
    with pytest.raises(SystemExit):
        record_hardware.main([f"--seconds={seconds}"])
    assert f"--seconds: expected a number from 10 on, got {seconds}." in capsys.readouterr().err


def test_without_a_gpu_nothing_is_recorded(monkeypatch, capsys):
    monkeypatch.setattr(record_hardware, "write", lambda record, path: pytest.fail("it was"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("fuseprop_cupy.device.device.probe", no_gpu)
    with pytest.raises(SystemExit) as stopped:
        record_hardware.main([])
    assert stopped.value.code == 3
    assert "Nothing was recorded: no driver" in capsys.readouterr().err


def no_gpu(ordinal):
    from fuseprop.backend import BackendUnavailable

    raise BackendUnavailable("no driver")


def test_without_an_installation_the_checkout_brings_its_entry_points(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.checkout.entry_points", lambda group: [])
    env = record_hardware.environment(tmp_path)
    (metadata,) = tmp_path.glob("fuseprop-*.dist-info/entry_points.txt")
    assert "[fuseprop.backends]\nnumpy = fuseprop_numpy:NumpyBackend\ncupy = " in metadata.read_text()
    script = (
        "from importlib.metadata import entry_points; print(*entry_points(group='fuseprop.backends').names)"
    )
    isolated = [sys.executable, "-S", "-c", script]  # without site-packages
    done = subprocess.run(isolated, env=env, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"cupy", "numpy"}


# --- the errors of the kernels, and what compute-sanitizer watches ---


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What `kernel_errors.py` leaves of the host-run backend in both dtypes."""
    path = tmp_path_factory.mktemp("errors") / "errors.jsonl"
    measure(path, [HostRunBackend(dtype) for dtype in ("float32", "float64")])
    return path


def errors_of(measured, folder, monkeypatch, lines=None, status=0):
    """The part of a record that these lines make, or the first of them."""

    def fake(command, seconds, log, **options):
        kept = measured.read_text().splitlines(keepends=True)[:lines]
        Path(command[-1]).write_text("".join(kept))
        log.write_text("what it said")
        return Ended(status, 1.0)

    monkeypatch.setattr(record_hardware, "run", fake)
    return measure_errors(folder, {}, Time(60).part(1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kernel_has_an_error_and_none_is_large(measured, tmp_path, monkeypatch, dtype):
    found = errors_of(measured, tmp_path, monkeypatch)
    assert found["done"] == ["float32", "float64"]
    assert "problem" not in found
    errors = found["errors"][dtype]
    assert errors.keys() == {*kernels(np.dtype(dtype)), PRODUCT}
    assert max(error["eps"] for error in errors.values()) < 100
    for name in (name for name in errors if name.endswith((", Tanh>", ", Sigmoid>")) and "bias" in name):
        assert 0 < errors[name]["ulp"] <= 4
    assert found["captured"][dtype]["works"]


def test_errors_that_were_not_finished_are_kept_as_far_as_they_came(measured, tmp_path, monkeypatch):
    found = errors_of(measured, tmp_path, monkeypatch, lines=3, status=None)
    assert found["errors"]["float32"]["advance"]["eps"] == 0
    assert found["done"] == []
    assert judged(good() | {"errors": found})["verdict"] == INCOMPLETE


def test_a_process_that_fails_in_a_kernel_is_a_failure(measured, tmp_path, monkeypatch):
    found = errors_of(measured, tmp_path, monkeypatch, lines=3, status=-6)
    assert found["problem"] == "ended with -6: what it said"
    assert judged(good() | {"errors": found})["verdict"] == FAILED


def test_an_error_amid_the_measurement_leaves_no_file_open(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("kernel_errors.Lines", lambda path: opened.append(Lines(path)) or opened[-1])
    with pytest.raises(AttributeError, match="dtype"):
        measure(tmp_path / "errors.jsonl", [None])
    with pytest.raises(ValueError, match="closed file"):
        opened[0].write(dtype="float32")


def test_an_inexact_kernel_has_the_larger_error():
    inexact = read("formulas.cuh").replace("return tanh(z);", "return T(1.0001) * tanh(z);")
    changed = {"formulas.cuh": inexact}
    built = HostKernels(kernels(np.dtype("float32")), changed)
    measurement = Measurement(HostRunBackend("float32", built=built))
    measurement.everything(33, 5, np.random.default_rng(0))
    large = {name for name, error in measurement.errors.items() if error["eps"] > 500}
    assert large == {"bias_activation<float, Tanh>"}


def test_steps_that_are_not_captured_say_why(monkeypatch):
    backend = HostRunBackend("float32")
    monkeypatch.setattr(backend.seam, "streams", lambda: 1 / 0)
    found = captured(backend)
    assert not found["captured"]
    assert "ZeroDivisionError" in found["said"]


def test_the_program_that_compute_sanitizer_watches_trains():
    losses = []
    assert train(HostRunBackend("float32"), losses.append).keys() == TASKS.keys()
    assert losses == list(TASKS)
