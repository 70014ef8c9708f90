"""The command in several processes: who speaks, what is refused, how an error of one ends all."""

import json
import re

import pytest
from launching import HERE, launched

COMMAND = ("-m", "fuseprop")
FAULTY = HERE / "faulty_command.py"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("predict", "a", "b"), r"has started 2 processes, and predict runs in one"),
        (("train", "iris", "--folds", 5), r"--folds makes many trainings"),
        (("train", "iris", "--tune", 5), r"--tune makes many trainings"),
        (("train",), r"Missing argument"),
        (("nothing",), r"No such command"),
    ],
)
def test_what_is_refused_is_said_once(arguments, words):
    result = launched(2, *COMMAND, *arguments)
    assert result.returncode == 2
    assert len(re.findall(words, result.stderr)) == 1
    assert result.stdout == ""
    assert result.stderr.count("Error") == 1


def test_one_process_prints_what_all_have():
    result = launched(2, *COMMAND, "--version")
    assert result.stdout.count("fuseprop, version") == 1


@pytest.mark.parametrize(
    ("way", "code", "lines"),
    [
        ("one", 1, ["process 1 of 2 (HOST): Error: it broke"]),
        ("agreed", 1, ["process 1 of 2 (HOST): Error: it broke"]),
        ("all", 1, ["Error: it broke"]),
        ("device", 3, ["process 1 of 2 (HOST): Error: no GPU"]),
        ("interrupted", 130, ["interrupted."]),
    ],
)
def test_an_error_before_training_is_told_once(way, code, lines):
    result = launched(2, FAULTY, way)
    told = [re.sub(r"\(\S+\)", "(HOST)", line) for line in result.stderr.splitlines() if line]
    assert (told, result.returncode) == (lines, code)


def test_doctor_tells_of_all_processes():
    result = launched(2, *COMMAND, "doctor", "--json")
    sections = json.loads(result.stdout)["sections"]
    found = {finding["what"]: finding["found"] for finding in sections["processes"]}
    assert {"MPI", "mpiexec", "processes", "process 0", "process 1"} == set(found)
    assert found["processes"].startswith("2, started by mpiexec")
    assert "threads on" in found["process 1"]
