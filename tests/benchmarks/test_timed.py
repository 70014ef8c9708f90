"""A command that has so many seconds ends with all that it started, and what it said is kept."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks import timed
from benchmarks.timed import run

linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="asks /proc")

STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[1:]:                      # a child that starts a grandchild in a session of its own, and leaves
    if os.fork() == 0:
        os.setsid()
        print("grandchild", os.getpid(), flush=True)
        time.sleep(600)
    print("child", os.getpid(), flush=True)
    {child}
import subprocess
subprocess.Popen([sys.executable, __file__, "child"], start_new_session=True)
print("found something", flush=True)
{itself}
"""


def said(log, wanted):
    """The processes that a log names, once it names so many."""
    for _ in range(500):
        pids = [int(line.split()[1]) for line in log.read_text().splitlines() if "child" in line]
        if len(pids) == wanted:
            return pids
        time.sleep(0.02)
    raise AssertionError(log.read_text())


def lives(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture
def stubborn(tmp_path):
    def write(child, itself):
        path = tmp_path / "stubborn.py"
        path.write_text(STUBBORN.format(child=child, itself=itself))
        return [sys.executable, str(path)]

    yield write
    for line in (tmp_path / "log").read_text().splitlines():  # what a failure would leave behind
        if "child" in line:
            with suppress(ProcessLookupError):
                os.kill(int(line.split()[1]), signal.SIGKILL)


@linux
@pytest.mark.parametrize("child", ["time.sleep(600)", "os._exit(0)"], ids=["stays", "leaves"])
def test_what_hangs_ignores_sigterm_and_has_grandchildren_ends(stubborn, child, tmp_path):
    log = tmp_path / "log"
    ended = run(stubborn(child, "time.sleep(600)"), 2, log, grace=0.2)
    pids = said(log, 2)
    assert ended.overran
    assert ended.left == ()
    assert not any(lives(pid) for pid in pids)
    assert "found something" in log.read_text()


@linux
def test_what_a_command_leaves_behind_ends_too(stubborn, tmp_path):
    log = tmp_path / "log"
    wait = f"while open({str(log)!r}).read().count('child') < 2: time.sleep(0.02)"
    ended = run(stubborn("os._exit(0)", wait), 60, log, grace=0.2)
    assert ended.status == 0
    assert not any(lives(pid) for pid in said(log, 2))


def test_a_command_that_can_is_given_time_to_keep_what_it_found(tmp_path):
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *a: (print('kept', flush=True), sys.exit(0)))\n"
        "print('begun', flush=True); time.sleep(600)"
    )
    log = tmp_path / "log"
    assert run([sys.executable, "-c", script], 1, log, grace=60).overran
    assert log.read_text() == "begun\nkept\n"


def test_an_end_in_time_is_told_with_its_status_and_both_outputs(tmp_path):
    script = "import sys; print('result'); print('progress', file=sys.stderr); sys.exit(7)"
    ended = run([sys.executable, "-c", script], 60, tmp_path / "log", out=tmp_path / "out")
    assert (ended.status, ended.overran, ended.left) == (7, False, ())
    assert (tmp_path / "out").read_text() == "result\n"
    assert (tmp_path / "log").read_text() == "progress\n"


def test_a_command_that_is_not_there_says_so(tmp_path):
    ended = run([tmp_path / "missing"], 60, tmp_path / "log")
    assert ended.status == timed.NOT_STARTED
    assert "missing could not be started" in (tmp_path / "log").read_text()


IGNORES = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("child", os.getpid(), flush=True)
time.sleep(600)
"""

CALLER = """
import pathlib, signal, sys
from benchmarks.timed import run
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in map(int, sys.argv[3:]):
    signal.signal(number, signal.SIG_IGN)
run([sys.executable, "-c", sys.argv[1]], 600, pathlib.Path(sys.argv[2]), grace=0.6)
"""


@linux
@pytest.mark.parametrize(
    ("numbers", "ignored", "status"),
    [
        ([signal.SIGINT], [], -signal.SIGINT),
        ([signal.SIGINT, signal.SIGINT, signal.SIGTERM], [], -signal.SIGINT),
        ([signal.SIGHUP, signal.SIGHUP], [], -signal.SIGHUP),
        ([signal.SIGHUP, signal.SIGTERM], [signal.SIGHUP], -signal.SIGTERM),
    ],
    ids=["once", "again and again", "the connection drops", "one is ignored"],
)
def test_signals_to_the_caller_end_the_command_first(tmp_path, numbers, ignored, status):
    """The command ignores the request to end; a second signal comes while the caller waits for it."""
    log = tmp_path / "log"
    log.touch()
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, IGNORES, str(log), *(str(int(number)) for number in ignored)],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.DEVNULL,
    )
    (pid,) = said(log, 1)
    for number in numbers:
        caller.send_signal(number)
        time.sleep(0.2)
    caller.wait(60)
    left = lives(pid)
    if left:
        os.kill(pid, signal.SIGKILL)
    assert not left
    assert caller.returncode == status
