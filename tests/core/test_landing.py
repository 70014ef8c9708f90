"""What a landing takes of tests that have many cases, and what it leaves to .ci/long."""

import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from landing import covering

TESTS = Path(__file__).parents[1]

SUITE = """
import pytest
from landing import first_of_each

@pytest.mark.pairs
@pytest.mark.parametrize("a", [0, 1, 2])
@pytest.mark.parametrize("b", [False, True])
@pytest.mark.parametrize("c", ["x", "y", "z"])
def test_pairs(a, b, c):
    pass

@pytest.mark.values
@pytest.mark.parametrize("a", [[], {}, 1, True])
@pytest.mark.parametrize("b", ["x", "y"])
def test_values(a, b):
    pass

CASES = [("a", 1), ("a", 2), ("a", 2), ("b", 2)]

@pytest.mark.parametrize(("file", "place"), first_of_each(CASES, lambda a, b: a, lambda a, b: b))
def test_first(file, place):
    pass

@pytest.mark.long
def test_long():
    pass

@pytest.mark.pairs
def test_plain():
    pass
"""


def meet(cases, together):
    return {group for case in cases for group in combinations(enumerate(case), together)}


@pytest.mark.parametrize("together", [1, 2])
@pytest.mark.parametrize("sizes", [(3,), (2, 5), (4, 3, 2), (12, 13, 2, 2, 3)])
def test_all_that_meets_meets_in_few_cases(sizes, together):
    cases = list(product(*map(range, sizes)))
    taken = covering(cases, together)
    together = min(together, len(sizes))
    assert meet([cases[i] for i in taken], together) == meet(cases, together)
    least = np.prod(sorted(sizes)[-together:])
    assert least <= len(taken) <= 1.5 * least
    assert taken == sorted(set(taken))


def test_what_never_meets_is_not_asked_for():
    assert covering([("a", 1), ("b", 2), ("a", 1)], 2) == [0, 1]
    assert covering([], 2) == []


def collected(folder, *arguments):
    (folder / "conftest.py").write_text('pytest_plugins = ["landing"]\n')
    (folder / "test_suite.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]


def test_a_landing_and_what_it_leaves_are_all(tmp_path):
    landing = collected(tmp_path)
    left, both = (collected(tmp_path, f"--cases={cases}") for cases in ("left", "all"))
    assert sorted(landing + left) == sorted(both)
    assert len(both) == 18 + 8 + 4 + 2
    counts = [sum(name.startswith(test) for name in landing) for test in ("test_pairs", "test_values")]
    assert counts == [9, 4]
    assert [name for name in left if name.startswith("test_first")] == ["test_first[a-2_1]"]
    assert "test_plain" in landing
    assert "test_long" in left


def test_a_case_that_is_named_runs(tmp_path):
    left = [name for name in collected(tmp_path, "--cases=left") if name.startswith("test_pairs")]
    assert collected(tmp_path, f"test_suite.py::{left[0]}") == left[:1]
