""".ci/long: which parts there are, what each leaves, and the exit status; on a repository of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fuseprop.benchmarks.machine import describe

ROOT = Path(__file__).parents[2]

README = """
<!-- .ci/run runs the next block as it stands -->
```sh
mkdir -p .venv/bin && cp python .venv/bin/ && .venv/bin/pytest
```
"""
PASSES = """
import json, os, sys
from pathlib import Path
assert os.environ["CI"] == "true"
flag, path = sys.argv[1:]
assert flag == "--record"
Path(path).write_text(json.dumps({"passed": True, "cases": 3, "here": Path.cwd().name}))
"""
PARTS = {
    "passes": PASSES,
    "fails": PASSES.replace("True", "False") + "sys.exit(1)",
    "crashes": "import os; os._exit(7)",
    "lies": PASSES + "sys.exit(1)",
    "mumbles": PASSES.replace('"passed": True', '"passed": "yes"'),
}


def git(folder, *arguments):
    user = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", *user, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """What .ci/long needs of a checkout, with parts that take no time."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    (folder / "README.md").write_text(README)
    (folder / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / "python").chmod(0o755)
    (folder / "tests" / "long").mkdir(parents=True)
    for name, text in PARTS.items():
        (folder / "tests" / "long" / f"{name}.py").write_text(text)
    (folder / "tests" / "long" / "test_passes.py").write_text("raise SystemExit('pytest runs it')")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "all of it")
    return folder


def long(repository, *names):
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    shutil.rmtree(repository / "tests" / "records", ignore_errors=True)
    done = subprocess.run(
        [repository / ".ci" / "long", *names],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    folder = repository / "tests" / "records"
    return done, {path.stem: json.loads(path.read_text()) for path in folder.glob("*")}


def test_a_part_leaves_its_record(repository):
    done, records = long(repository, "passes")
    assert done.returncode == 0, done.stderr
    record = records.pop("passes")
    assert not records
    assert record["passed"] is True
    assert record["cases"] == 3
    assert record["here"] == "fuseprop", "a clone, not the checkout"
    assert record["commit"] == git(repository, "rev-parse", "HEAD")
    assert record["machine"]["cpu"] == describe()["cpu"]
    assert record["seconds"] >= 0
    assert record["date"].startswith("20")
    assert record["part"] == "passes"


def test_all_parts_run_and_those_that_fail_leave_theirs_too(repository):
    done, records = long(repository)
    assert done.returncode == 1
    assert set(records) == set(PARTS)
    assert [name for name, record in records.items() if record["passed"]] == ["passes"]
    assert records["fails"]["cases"] == 3
    assert "ended with 7 and left no record" in records["crashes"]["error"]
    assert "ended with 1" in records["lies"]["error"]
    assert '"passed"' in records["mumbles"]["error"]
    assert all(record["commit"] for record in records.values())
    assert "Not passed: crashes, fails, lies, mumbles." in done.stderr


def test_a_name_that_is_no_part_is_refused_before_anything_runs(repository):
    (repository / "tests" / "long" / "uncommitted.py").touch()
    for name in ("fuz", "uncommitted", "."):
        done, records = long(repository, "passes", name)
        assert done.returncode == 2
        assert done.stderr == f"{name} is no part that is committed. Parts: {' '.join(sorted(PARTS))}\n"
        assert not records


def test_nothing_is_left_behind(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    long(repository, "fails", "passes")
    assert not list(tmp_path.iterdir())


def test_what_is_told_of_the_mutants(monkeypatch):
    pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')
    script = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("part", "tests/long/mutants.py")
part = importlib.util.module_from_spec(spec)
spec.loader.exec_module(part)
from mutations import Mutant
survives, killed = part.OUTCOMES[0], part.OUTCOMES[1]
found = {Mutant("sums.cu", "a", ""): survives, Mutant("sums.cu", "b", ""): killed}
told = []
for complaints in ([], ["survives without a reason: sums.cu: a"]):
    part.examine = lambda files, listed: (found, complaints)
    told.append(part.record(["sums.cu"], listed=False))
part.examine = lambda files, listed: ({}, [])
told.append(part.record(["sums.cu"], listed=False))
print(json.dumps(told))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    good, bad, nothing = json.loads(done.stdout)
    assert good == {
        "passed": True,
        "mutants": 2,
        "survivors": 1,
        "complaints": [],
        "files": {"sums.cu": {"survives": 1, "killed by the executed rung": 1}},
    }
    assert bad["passed"] is False
    assert bad["complaints"] == ["survives without a reason: sums.cu: a"]
    assert nothing["passed"] is False
