"""A job of several processes ends as a whole, within seconds, and says once why: under the real mpiexec."""

import re
import signal
import subprocess
from time import monotonic

import pytest
from launching import HERE, command, launched

ENDS = HERE / "ends.py"


def said(result):
    """Return the lines that name a process, without the machine and the number of the system."""
    found = re.findall(r"^process \d of \d.*$", result.stderr, re.MULTILINE)
    return [re.sub(r" \((pid \d+ on )?\S+\)", "", line) for line in found]


@pytest.mark.parametrize(
    ("way", "code", "lines"),
    [
        ("error", 1, ["process 1 of 3: ValueError: process 1 broke"]),
        ("error in a block", 1, ["process 1 of 3: ValueError: process 1 broke"]),
        ("agreed", 1, ["process 1 of 3: ValueError: process 1 broke"]),
        ("caught", 1, ["process 1 of 3: ValueError: process 1 broke"]),
        ("exit in a block", 3, ["process 1 of 3: it has left by sys.exit(3), while others go on."]),
    ],
)
def test_an_error_of_one_ends_all_and_is_told_once(way, code, lines):
    result = launched(3, ENDS, way)
    assert (said(result), result.returncode) == (lines, code), result.stderr
    assert result.stderr.count("Traceback") == (code == 1)


def test_errors_of_two_are_both_told():
    result = launched(3, ENDS, "two errors")
    assert sorted(said(result)) == [f"process {i} of 3: ValueError: process {i} broke" for i in (1, 2)]
    assert result.returncode == 1


@pytest.mark.parametrize("way", ["error of all", "error of all in a block"])
def test_an_error_of_all_is_told_as_in_one_process(way):
    result = launched(3, ENDS, way)
    assert (said(result), result.returncode) == ([], 1)
    assert result.stderr.startswith("Traceback (most recent call last):\n")
    assert result.stderr.count("ValueError: all broke") == 1


@pytest.mark.parametrize("way", ["exit", "exit well"])
def test_none_waits_for_one_that_has_ended(way):
    result = launched(3, ENDS, way)
    (line,) = said(result)
    assert re.fullmatch(r"process 1 of 3: it has ended, and process [02] waits for it: .*", line)
    assert result.returncode == 1


@pytest.mark.parametrize(("way", "code"), [("well", 0), ("early", 0), ("exit of all", 3)])
def test_an_end_of_all_is_no_failure(way, code):
    result = launched(3, ENDS, way)
    assert (result.stderr, result.returncode) == ("", code)


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_a_killed_process_is_named_and_ends_all(rank):
    start = monotonic()
    result = launched(4, ENDS, "kill", rank, __file__)
    assert monotonic() - start < 30
    (line,) = said(result)
    assert line.startswith(f"process {rank} of 4 has died: killed (signal 9)")
    assert "to go on: type it" in result.stderr
    assert "nowhere" not in result.stderr
    assert result.returncode != 0


@pytest.mark.parametrize(
    ("way", "how"),
    [
        ("crash", "Segmentation fault (signal 11)"),
        ("silent exit", "it ended with exit code 7 and said nothing"),
    ],
)
def test_any_other_death_is_told_likewise(way, how):
    result = launched(3, ENDS, way)
    assert said(result) == [f"process 1 of 3 has died: {how}."]
    assert result.returncode != 0


def test_ctrl_c_ends_all_though_they_wait_for_each_other():
    with subprocess.Popen(
        command(3, ENDS, "stuck"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as job:
        for _ in range(2):
            job.stdout.readline()  # two wait for the third, in a call that Python cannot interrupt
        job.send_signal(signal.SIGINT)
        _, errors = job.communicate(timeout=30)
    assert errors.count("interrupted.") == 1
    assert "Traceback" not in errors
    assert "process" not in errors.replace("Sending Ctrl-C to processes", "")
    assert job.returncode == 130
