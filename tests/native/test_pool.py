"""The threads of compiled steps: each unit is done once, whoever comes, and those at rest are no trouble."""

import os
import shutil
import subprocess
import sys
import threading
from ctypes import CDLL, c_double, c_int
from pathlib import Path

import fuseprop_numpy
import pytest

HERE = Path(__file__).parent
NATIVE = Path(fuseprop_numpy.__file__).parent / "native"
POOL = NATIVE / "pool.cpp"
FLAGS = ("-std=c++17", "-O1", "-g", "-fno-exceptions", "-fno-rtti", "-pthread", f"-I{NATIVE}", f"-I{HERE}")
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Werror")

PATIENCE = 30.0
"""Seconds until a test gives up what takes microseconds."""

PREAMBLE = """
import ctypes, os, signal, sys, threading, time
pool = ctypes.CDLL(sys.argv[1])
pool.members_at_once.argtypes = [ctypes.c_int, ctypes.c_double]
def names():
    return [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
pool.fuseprop_set_num_threads(3)
assert pool.members_at_once(3, 30.0) == 3
"""


def require(available, reason):
    """Skip the test for this reason unless `available`; in CI it fails instead."""
    if not available:
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def build(out, *options, pool=POOL):
    """Compile the jobs with the threads."""
    compiler = os.environ.get("CXX") or shutil.which("g++")
    require(compiler, "no C++ compiler. Type: apt-get install g++, or set CXX")
    sources = ["-include", "pool_hooks.hpp", HERE / "pool_jobs.cpp", pool]
    order = [compiler, *FLAGS, *options, *sources, "-o", out]
    done = subprocess.run([*map(str, order)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A library that threadpoolctl would take for the engine."""
    out = tmp_path_factory.mktemp("pool") / "fuseprop_engine_test_pool.so"
    return build(out, "-shared", "-fPIC", *STRICT)


@pytest.fixture
def pool(path):
    """That library in this process; it may use 8 threads."""
    functions = CDLL(str(path))
    functions.members_at_once.argtypes = [functions.members_at_once.restype, c_double]
    functions.fuseprop_set_num_threads(8)
    functions.allow_threads(1 << 30)
    return functions


def python(path, script):
    """Run a script in a process of its own, in which two threads wait beside the main one."""
    order = [sys.executable, "-c", PREAMBLE + script, str(path)]
    return subprocess.run(order, capture_output=True, text=True, timeout=60)


def stdout(path, script):
    done = python(path, script)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("members", [0, 1, 2, 3, 8, 100_000])
@pytest.mark.parametrize("units", [1, 2, 3, 100])
def test_each_unit_is_done_once(pool, members, units):
    assert pool.wrong_units(100, members, units, 0) == 0


@pytest.mark.parametrize("members", [1, 2, 3, 8])
def test_so_many_come_at_once(pool, members):
    assert pool.members_at_once(members, PATIENCE) == members


def test_no_more_than_the_limit_come(pool):
    pool.fuseprop_set_num_threads(2)
    assert pool.members_at_once(3, 0.2) == 2
    pool.fuseprop_set_num_threads(1)
    assert pool.members_at_once(2, 0.2) == 1


def test_the_limit_is_from_1_to_1024(pool):
    for number, taken in [(-5, 1), (0, 1), (1, 1), (7, 7), (1024, 1024), (1025, 1024), (2**31 - 1, 1024)]:
        pool.fuseprop_set_num_threads(number)
        assert pool.fuseprop_get_num_threads() == taken


@pytest.mark.parametrize(
    ("threads", "members", "helping", "then", "helping_then"),
    [
        (4, 4, [[3]], 2, [1]),  # a lower limit holds at once
        (4, 4, [[3]], 1, [0]),
        (4, 3, [[2]], 3, [2]),  # and changes nothing that it allows
        (8, 3, [[2, 0], [2, 2]], 8, [2, 2]),  # jobs at once
        (8, 8, [[7, 0], [3, 3]], 4, [1, 1]),  # who has more than its share gives
        (8, 3, [[2, 0, 0], [2, 2, 0], [2, 2, 1]], 2, [0, 0, 0]),
        (2, 2, [[1, 0, 0], [0, 0, 0], [0, 0, 0]], 2, [0, 0, 0]),  # more callers than threads
    ],
)
def test_callers_share_the_threads(pool, threads, members, helping, then, helping_then):
    """So many help each of the jobs, when one after the other begins, and when the limit changes."""
    pool.fuseprop_set_num_threads(threads)
    rows = (c_int * (len(helping) ** 2))(*(number for row in helping for number in row))
    last = (c_int * len(helping))(*helping_then)
    assert pool.job_with_other_helpers(len(helping), members, rows, then, last, c_double(PATIENCE)) == -1


def test_a_job_within_a_job_is_done_by_who_calls(pool):
    assert pool.wrong_units(50, 3, 20, 4) == 0


def test_callers_side_by_side_while_the_limit_changes(pool):
    ends, wrong = threading.Event(), []

    def change():
        for number in range(10**9):
            pool.fuseprop_set_num_threads(1 + number % 8)
            if ends.wait(1e-4):
                return

    def call(number):
        wrong.append(sum(pool.wrong_units(100, 2 + number, 10, 0) for _ in range(20)))

    changing = threading.Thread(target=change)
    callers = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in [changing, *callers]:
        thread.start()
    for thread in callers:
        thread.join()
    ends.set()
    changing.join()
    assert wrong == [0] * 4


def test_threads_round_as_their_caller(pool):
    if os.uname().machine != "x86_64":
        pytest.skip("the test changes settings of x86-64")
    for flushing in (1, 0, 1, 1, 0, 0):
        assert pool.members_that_flush(flushing) == 2 * flushing


def test_refused_threads_are_done_without_and_asked_for_again(path):
    """Two of seven are given; a thousand jobs later the others are, too."""
    script = """
pool.allow_threads(2)
pool.fuseprop_set_num_threads(8)
print(pool.members_at_once(8, 0.2), pool.wrong_units(100, 8, 20, 0))
pool.allow_threads(100)
print(pool.wrong_units(1100, 8, 3, 0), pool.members_at_once(8, 30.0))
"""
    assert stdout(path, script).split() == ["5", "0", "0", "8"]


def test_none_at_all_is_no_failure(path):
    script = """
pid = os.fork()
if not pid:
    pool.allow_threads(0)
    os._exit(pool.wrong_units(100, 3, 20, 0) + pool.members_at_once(3, 0.1) - 1)
assert os.waitpid(pid, 0)[1] == 0
"""
    stdout(path, script)


def test_children_have_threads_of_their_own(path):
    """Fifty, forked while two threads work and the others join in."""
    script = """
ends, wrong = threading.Event(), []
def work():
    while not ends.is_set():
        wrong.append(pool.wrong_units(20, 3, 10, 0))
working = [threading.Thread(target=work) for _ in range(2)]
for thread in working:
    thread.start()
failed = 0
for _ in range(50):
    pid = os.fork()
    if not pid:
        at_once = pool.members_at_once(3, 30.0)
        os._exit(0 if at_once == 3 and not pool.wrong_units(20, 3, 10, 0) else 1)
    failed += os.waitpid(pid, 0)[1] != 0
ends.set()
for thread in working:
    thread.join()
print(failed, sum(wrong), pool.members_at_once(3, 30.0))
"""
    assert stdout(path, script).split() == ["0", "0", "3"]


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")


@needs_proc
def test_threads_at_rest_sleep_and_take_no_time(path):
    script = """
def states():
    found = []
    for task in os.listdir("/proc/self/task"):
        name, _, rest = open(f"/proc/self/task/{task}/stat").read().partition("(")[2].rpartition(")")
        if name == "fuseprop":
            found.append(rest.split()[0])
    return found
until = time.monotonic() + 30
while set(states()) != {"S"} and time.monotonic() < until:
    time.sleep(0.01)
before = time.process_time()
time.sleep(0.5)
print(time.process_time() - before < 0.1, states(), pool.members_at_once(3, 30.0))
"""
    assert stdout(path, script).strip() == "True ['S', 'S'] 3"


@needs_proc
def test_a_job_wakes_no_more_than_it_needs(path):
    """Of seven that sleep, a job of two wakes one: the others were never switched to."""
    script = """
def switches():
    found = {}
    for task in os.listdir("/proc/self/task"):
        status = dict(line.split(":", 1) for line in open(f"/proc/self/task/{task}/status"))
        if status["Name"].strip() == "fuseprop":
            found[task] = int(status["voluntary_ctxt_switches"])
    return found
pool.fuseprop_set_num_threads(8)
assert pool.members_at_once(8, 30.0) == 8
time.sleep(0.2)
before = switches()
for _ in range(20):
    assert pool.members_at_once(2, 30.0) == 2
    time.sleep(0.01)
time.sleep(0.1)
print(len(before), sum(after > before[task] for task, after in switches().items()))
"""
    threads, woken = map(int, stdout(path, script).split())
    assert threads == 7
    assert woken <= 2  # a switch may be someone else's doing


@needs_proc
def test_threads_stay_where_their_caller_may_run(path):
    """An affinity that is set later holds for who is woken then, and none is ever wider than the caller's."""
    script = """
cores = os.sched_getaffinity(0)
def theirs():
    others = [int(task) for task in os.listdir("/proc/self/task") if int(task) != os.getpid()]
    return [os.sched_getaffinity(task) for task in others]
for mine in [cores, {min(cores)}, {max(cores)}, cores]:
    os.sched_setaffinity(0, mine)
    time.sleep(0.05)
    assert pool.members_at_once(3, 30.0) == 3
    assert all(theirs()) and all(found <= mine for found in theirs()), (mine, theirs())
"""
    stdout(path, script)


@needs_proc
def test_the_threads_have_a_name(path):
    assert stdout(path, "print(names().count('fuseprop'))").strip() == "2"


@pytest.mark.parametrize("state", ["asleep", "awake", "at work"])
def test_the_interpreter_exits(path, state):
    script = {
        "asleep": "time.sleep(0.05)",
        "awake": "",
        "at work": "threading.Thread(target=pool.members_at_once, args=(9, 60.0), daemon=True).start()",
    }[state]
    assert python(path, script + "\nprint('done')").stdout == "done\n"


def test_ctrl_c_reaches_the_main_thread(path):
    """The signal is sent to the process: any thread that does not block it might take it."""
    script = """
for _ in range(20):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(30)
    except KeyboardInterrupt:
        continue
    sys.exit("not interrupted")
for task in os.listdir("/proc/self/task"):
    status = dict(line.split(":", 1) for line in open(f"/proc/self/task/{task}/status"))
    if status["Name"].strip() == "fuseprop":
        assert int(status["SigBlk"], 16) >> (signal.SIGINT - 1) & 1, status
        assert not int(status["SigBlk"], 16) >> (signal.SIGSEGV - 1) & 1, status
"""
    stdout(path, script)


def test_ctrl_c_while_a_job_is_done(path):
    script = """
started = time.monotonic()
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        pool.wrong_units(20, 3, 10, 0)
        assert time.monotonic() - started < 30
except KeyboardInterrupt:
    print(pool.wrong_units(20, 3, 10, 0), pool.members_at_once(3, 30.0))
"""
    assert stdout(path, script).split() == ["0", "3"]


CONTROLLED = """
from fuseprop_numpy.compiled import threads
from threadpoolctl import threadpool_info, threadpool_limits
os.environ["FUSEPROP_NUM_THREADS"] = "3"
assert threads.begin(pool) == (3, "FUSEPROP_NUM_THREADS")
threads.begin(pool)
ours = [found for found in threadpool_info() if found["user_api"] == "fuseprop"]
assert [found["num_threads"] for found in ours] == [3], ours
"""


def test_threadpoolctl_changes_the_number(path):
    script = """
for limits, within in [((1,), 1), (({"fuseprop": 2},), 2), ((2, "fuseprop"), 2), ((1, "blas"), 3)]:
    with threadpool_limits(*limits):
        assert pool.members_at_once(4, 0.1) == pool.fuseprop_get_num_threads() == within, limits
    assert pool.fuseprop_get_num_threads() == 3
"""
    stdout(path, CONTROLLED + script)


def test_a_bad_number_is_refused_where_the_library_is_first_used(path):
    script = "from fuseprop_numpy.compiled import threads; threads.begin(pool)"
    done = python(path, "import fuseprop; os.environ['FUSEPROP_NUM_THREADS'] = 'two'\n" + script)
    assert done.returncode == 1
    assert "ValueError: FUSEPROP_NUM_THREADS must be a whole number from 1 to 1024, got 'two'" in done.stderr


def test_no_library_of_cpp_is_needed(path):
    if shutil.which("nm") is None:
        pytest.skip("needs nm, of binutils")
    done = subprocess.run(["nm", "-DuC", path], capture_output=True, text=True, check=True)
    assert "operator new" not in done.stdout
    assert "std::" not in done.stdout
    assert "__cxa_throw" not in done.stdout


MISTAKES = {
    "the caller does not wait": ("job->wait_for(others - int(left));", "(void)left;"),
    "who joins does not see what the job is": (
        "seen - 1, std::memory_order_acquire",
        "seen - 1, std::memory_order_relaxed",
    ),
}


def races(folder, *options, pool=POOL):
    """Run callers side by side under ThreadSanitizer; return its exit code and what it said."""
    program = build(folder / "races", "-fsanitize=thread", "-DPOOL_RACES", *options, pool=pool)
    environment = {**os.environ, "TSAN_OPTIONS": "exitcode=66 halt_on_error=1"}
    order = [str(program)]
    if shutil.which("setarch"):  # ThreadSanitizer wants its addresses free
        order = ["setarch", os.uname().machine, "-R", *order]
    done = subprocess.run(order, capture_output=True, text=True, timeout=60, env=environment)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def tsan(tmp_path_factory):
    """Skip where there is no ThreadSanitizer."""
    folder = tmp_path_factory.mktemp("tsan")
    compiler = os.environ.get("CXX") or shutil.which("g++")
    require(compiler, "no C++ compiler. Type: apt-get install g++, or set CXX")
    (folder / "empty.cpp").write_text("int main() {}\n")
    order = [compiler, "-fsanitize=thread", folder / "empty.cpp", "-o", folder / "empty"]
    there = subprocess.run([*map(str, order)], capture_output=True).returncode == 0
    require(there, "no ThreadSanitizer. Type: apt-get install g++")


def test_no_race_is_found(tsan, tmp_path):
    assert races(tmp_path, *STRICT) == (0, "wrong 0\n")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_races_are_found(tsan, tmp_path, mistake):
    text, (right, wrong) = POOL.read_text(), MISTAKES[mistake]
    assert text.count(right) == 1
    (tmp_path / "pool.cpp").write_text(text.replace(right, wrong))
    status, said = races(tmp_path, pool=tmp_path / "pool.cpp")
    assert status == 66, said
    assert "data race" in said
