"""A comparison with a commit of ours: old and new are what they should be, and what is slower is found."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import benchmarks.compare
from benchmarks.against import PEER, QUICK_FITS, WORKER, _estimator, _pairs, change, exit_status, slower, told
from benchmarks.checkouts import NATIVE, NoSuchCommit, _build, side_by_side
from benchmarks.compare import main
from benchmarks.origin import VARIABLE
from fuseprop.backend.registry import load_backend
from fuseprop.benchmarks.turns import Peer

ROOT = Path(__file__).parents[2]

SLEEP = """
from fuseprop.network import Network
_fit = Network.fit

def _slow(self, *arguments, **options):
    import time
    time.sleep(0.2)
    return _fit(self, *arguments, **options)

Network.fit = _slow
"""
"""Twenty times what the fit below takes: no noise hides that."""


def git(folder, *arguments):
    user = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", *user, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Our code in a repository of its own. The first commit has no stepper; what is not committed is slow."""
    folder = tmp_path_factory.mktemp("repository") / "fuseprop"
    ignored = shutil.ignore_patterns("__pycache__", "results", "plots")
    for name in ("backends", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".gitignore").write_text("__pycache__/\nignored\n")
    stepper = folder / "src" / "fuseprop" / "benchmarks" / "stepper.py"
    text = stepper.read_text()
    stepper.unlink()
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "without a stepper")
    stepper.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "with one")
    with (folder / "src" / "fuseprop" / "__init__.py").open("a") as file:
        file.write(SLEEP)
    (folder / "new file").touch()
    (folder / "ignored").touch()
    return folder


def test_a_planted_slowdown_is_found(repository, tmp_path, monkeypatch):
    """And a commit that lacks what the bare step needs is still compared in everything else."""
    monkeypatch.setattr(benchmarks.compare, "ROOT", repository)
    options = ["--network", "2-8-1-b4", "--rounds", "8", "--sets", "1", "--output", str(tmp_path)]
    done = CliRunner().invoke(main, ["--against", "HEAD~1", *options])
    assert done.exit_code == 1, done.output
    assert "Wholly above 1.03: fit 2-8-1-b4 sigmoid." in done.stdout
    assert "not compared: old: failed: ModuleNotFoundError" in done.stdout
    assert "and what is not committed: new file and 1 more" in done.stderr
    (path,) = tmp_path.glob("*.json")
    record = json.loads(path.read_text())
    assert record["old"]["commit"] == git(repository, "rev-parse", "HEAD~1")
    assert record["new"]["commit"] == git(repository, "rev-parse", "HEAD")
    assert record["new"]["changed"] == ["new file", "src/fuseprop/__init__.py"]
    assert {"cpu", "cores", "blas"} <= record["machine"].keys()
    step, fit = record["rows"]
    assert step["what"] == "step 2-8-1-b4 sigmoid"
    if load_backend("cpu").replay == "compiled":
        assert step["replay"]["new"].startswith("compiled, ")
        assert f"Steps are replayed as: new: {step['replay']['new']}." in done.stdout
    assert len(fit["old"]) == len(fit["new"]) == 8


@pytest.mark.parametrize(("options", "epochs_of_one"), [([], 4), (["--quick"], 3)])
def test_epochs_of_one_step_are_among_the_networks(monkeypatch, options, epochs_of_one):
    asked = []
    monkeypatch.setattr(
        benchmarks.compare, "compare_with", lambda commit, device, cases, *_, **__: asked.extend(cases)
    )
    done = CliRunner().invoke(main, ["--against=HEAD", *options])
    assert done.exit_code == 0, done.output
    assert sum(case.batches == 1 for case in asked) == epochs_of_one
    assert "64-64-10-b128" in [case.id for case in asked]


def test_what_a_checkout_compiles_is_built_and_where_that_fails_nothing_older_stays(tmp_path):
    native = tmp_path / NATIVE
    native.mkdir(parents=True)
    library = native / "fuseprop_engine_x.so"
    _build(tmp_path)  # there is nothing to build
    (native / "build.py").write_text("from pathlib import Path; Path(__file__).with_name('built').touch()")
    library.touch()
    _build(tmp_path)
    assert (native / "built").exists()
    assert library.exists()
    (native / "build.py").write_text("raise SystemExit(1)")
    _build(tmp_path)
    assert not library.exists()


@pytest.fixture(scope="module")
def older(repository, tmp_path_factory):
    """A checkout whose stepper lies in `benchmarks`, as all did once; its room of today's name is another."""
    folder = tmp_path_factory.mktemp("older") / "fuseprop"
    with side_by_side("HEAD", repository) as (old, _):
        shutil.copytree(old.folder, folder)
    room = folder / "src" / "fuseprop" / "benchmarks"
    shutil.rmtree(folder / "benchmarks")
    (folder / "benchmarks").mkdir()
    for name in ("stepper", "problem", "networks", "design"):
        text = (room / f"{name}.py").read_text()
        (folder / "benchmarks" / f"{name}.py").write_text(text.replace("from ..", "from fuseprop."))
    shutil.rmtree(room)
    room.mkdir()
    (room / "__init__.py").write_text("raise RuntimeError('an older room is imported')\n")
    return folder


def test_an_older_layout_is_measured_by_the_same_code(older):
    """Its own steps, in its own package, through the gate of this working tree."""
    paths = [older / "src", older / "backends", ROOT]
    peer = Peer(PEER, "cpu", worker=WORKER, paths=paths, variables={VARIABLE: str(older)})
    try:
        assert peer.missing is None
        for form in range(2):
            built = peer.ask("build", form=form, case="2-8-1-b4", activation="sigmoid")
            assert built["gate"]["passed"], built
            assert peer.ask("time", form=form, seconds=0.01)["steps"] >= 1
    finally:
        peer.close()


def test_what_drives_an_older_fuseprop_needs_nothing_of_it(tmp_path):
    """Not even what all have: whatever moves within the package, older commits are still measured."""
    (tmp_path / "fuseprop").mkdir()
    (tmp_path / "fuseprop" / "__init__.py").touch()
    code = "from benchmarks.in_front import put_in_front; put_in_front(); import fuseprop.benchmarks.worker"
    path = os.pathsep.join(map(str, (tmp_path, ROOT)))
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_estimators_of_the_old_package_are_fitted_by_the_new_benchmarks(repository):
    """By the process that takes its package and its benchmarks from two folders."""
    pytest.importorskip("sklearn", reason='needs scikit-learn: pip install -e ".[sklearn]"')
    with side_by_side("HEAD", repository) as (old, new):
        paths = [old.folder / "src", old.folder / "backends", new.folder]
        peer = Peer(PEER, "cpu", worker=WORKER, paths=paths, variables={VARIABLE: str(old.folder)})
        try:
            assert peer.missing is None
            built = peer.ask("build_estimator", table="breast_cancer", solver="adam", dtype="float64")
            assert built == {"epochs": 60}
            assert peer.ask("time", form="estimator", seconds=0.01)["steps"] >= 1
        finally:
            peer.close()


class Answers:
    """A process that answers `build_estimator` with this, and that a fit takes a second."""

    def __init__(self, name, built):
        self.name, self.built = name, built

    def ask(self, do, **request):
        return {"build_estimator": self.built, "time": {"steps": 1, "seconds": 1.0}}.get(do, {})


FITS = {"epochs": 60}
RAISES = {"error": "RuntimeError: planted"}
FAILED = "failed: RuntimeError: planted"


@pytest.mark.parametrize(
    ("old", "new", "rounds", "status", "reason"),
    [
        (FITS, FITS, 8, 0, None),
        (FITS, RAISES, 8, 1, f"new: {FAILED}"),
        (RAISES, FITS, 8, 3, f"old: {FAILED}"),  # nothing else was decided
        (RAISES, RAISES, 8, 3, f"old: {FAILED}; new: {FAILED}"),
        (
            FITS,
            {"epochs": 61},
            8,
            3,
            "old: not run: 60 epochs, the other takes another number; "
            "new: not run: 61 epochs, the other takes another number",
        ),
        (FITS, FITS, 7, 3, None),
        (FITS, FITS, 0, 3, "old: not measured; new: not measured"),
    ],
)
def test_only_what_was_decided_passes_and_what_fails_says_why(old, new, rounds, status, reason):
    peers = [Answers("old", old), Answers("new", new)]
    rows = _estimator(QUICK_FITS[0], peers, rounds=rounds, block=0.01, seconds=9.0, pause=0.0)
    result = {"rows": list(_pairs("breast_cancer", rows))}
    assert exit_status(result) == status
    (row,) = result["rows"]
    assert row.get("not_compared") == reason
    text = "\n".join(told(result))
    assert ("Only the new checkout fails: estimator breast_cancer." in text) == (status == 1)
    assert ("Nothing was decided." in text) == (status != 0)
    assert ("Not decided: estimator breast_cancer." in text) == (status == 3 and row["failed"] != ["old"])


@pytest.mark.parametrize("wrong", ["--minutes=nan", "--minutes=0", "--rounds=0", "--sets=0", "--against="])
def test_limits_that_limit_nothing_and_no_commit_are_refused(wrong, tmp_path):
    done = CliRunner().invoke(main, [wrong, "--network=2-8-1-b4", f"--output={tmp_path}"])
    assert done.exit_code == 2, done.output
    assert wrong.partition("=")[0] in done.output
    assert not list(tmp_path.iterdir())


def test_a_process_that_would_run_another_package_is_refused(repository, tmp_path):
    with side_by_side("HEAD", repository) as (old, new):
        paths = [new.folder / "src", new.folder / "backends", new.folder]
        peer = Peer(PEER, "cpu", worker=WORKER, paths=paths, variables={VARIABLE: str(old.folder)})
        peer.close()
    assert "which is not in" in peer.missing


def test_old_and_new_are_what_they_should_be(repository):
    with side_by_side("HEAD", repository) as (old, new):
        assert not (old.folder / "new file").exists()
        assert (new.folder / "new file").exists()
        assert not (new.folder / "ignored").exists()
        committed = git(repository, "show", "HEAD:src/fuseprop/__init__.py")
        assert (old.folder / "src" / "fuseprop" / "__init__.py").read_text().strip() == committed
        assert SLEEP in (new.folder / "src" / "fuseprop" / "__init__.py").read_text()
        assert old.title == old.commit[:10]
    assert not old.folder.exists()
    assert git(repository, "worktree", "list").count("\n") == 0


@pytest.mark.parametrize("commit", ["nothing", "--all", "HEAD:src", ""])
def test_a_commit_that_there_is_not_is_refused(repository, tmp_path, monkeypatch, commit):
    with pytest.raises(NoSuchCommit), side_by_side(commit, repository):
        pass
    monkeypatch.setattr(benchmarks.compare, "ROOT", tmp_path)  # no repository at all
    done = CliRunner().invoke(main, [f"--against={commit or 'x'}"])
    assert done.exit_code == 2, done.output
    assert "not a git repository" in done.output


def test_peers_and_another_commit_are_two_questions():
    done = CliRunner().invoke(main, ["--against=HEAD", "--peer=textbook"])
    assert done.exit_code == 2
    assert "takes no --peer" in done.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_it_finds_nothing_left(repository, tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.compare", "--against=HEAD", "--network=64-32-10-b32"],
        cwd=repository,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if "64-32-10" in line:
            break
    assert list(tmp_path.glob("fuseprop-against-*"))
    process.send_signal(number)
    process.stderr.read()
    process.stderr.close()
    assert process.wait() != 0
    assert not list(tmp_path.iterdir())


def row(what, old, new, **more):
    return {"what": what, "old": old, "new": new, "failed": [], **more}


def test_what_counts_as_slower():
    result = {
        "rows": [
            row("a", [1.0] * 8, [1.04] * 8),
            row("once as fast", [1.0] * 8, [1.04] * 7 + [1.02]),
            row("too few rounds", [1.0] * 7, [2.0] * 7),
            row("within", [1.0] * 8, [1.03] * 8),
            row("alone", [], [], not_compared="old: failed: why", failed=["old"]),
        ]
    }
    assert slower(result) == ["a"]
    text = "\n".join(told(result))
    assert "| a | 1 | 1.04 | 1.040 **slower** | 1.040 to 1.040 | 8 |" in text
    assert "| too few rounds | 1 | 2 | 2.000 | 2.000 to 2.000 | 7, too few for 99% |" in text
    assert "| alone | | | not compared: old: failed: why | | |" in text
    assert text.endswith("Wholly above 1.03: a.")
    assert exit_status(result) == 1
    result["rows"] = result["rows"][1:]
    text = "\n".join(told(result))
    assert text.endswith("\nNot decided: too few rounds.\nNo row that was decided lies wholly above 1.03.")
    assert exit_status(result) == 3
    result["rows"] = result["rows"][-2:]  # what the old one cannot do leaves nothing open
    assert exit_status(result) == 0
    result["rows"] = result["rows"][-1:]
    assert "\n".join(told(result)).endswith("\nNothing was decided.")
    assert exit_status(result) == 3


def test_a_machine_that_slows_down_for_both_changes_nothing():
    found = change(row("a", [1.0, 9.0] * 4, [1.0, 9.0] * 4))
    assert (found.low, found.middle, found.high) == (1.0, 1.0, 1.0)
