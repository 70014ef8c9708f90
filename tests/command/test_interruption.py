"""Ctrl-C wherever it falls: exit code 130 and one line, also where something else becomes of it."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from collecting import in_pieces

import fuseprop
from fuseprop import MLPClassifier, load_table
from fuseprop.cli import main
from fuseprop.cli.interruption import Interruption, StopOnSignal
from fuseprop.data import DataError
from fuseprop.data.files import duck, opening
from fuseprop.learn import TOPICS
from fuseprop.storage.fatal import raise_fatal_cause

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
SECOND = "interrupted again: nothing more was written."
TRAIN = ("train", "xor", "--device", "cpu", "--epochs", 5)


def ctrl_c(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def is_interrupted(result, stdout=""):
    assert (result.exit_code, result.stdout) == (130, stdout), result.output
    lines = [line for line in result.stderr.splitlines() if "interrupted" in line]
    assert len(lines) == 1
    assert "Error" not in result.stderr
    return lines[0]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "1,5,up\n2,7,down\n" * 20)
    return path


# Reading


@pytest.fixture
def while_reading(table, monkeypatch):
    """Return what lets a function run while the table is read, as often as its blocks are."""

    def put(function):
        blocks = opening.Named.blocks

        def interrupted(self):
            yield from blocks(self)
            function()

        monkeypatch.setattr(opening.Named, "blocks", interrupted)

    return put


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyboardInterrupt, KeyboardInterrupt),
        (SystemExit, SystemExit),
        (MemoryError, DataError),  # which says that there is not enough, and nothing of a cell
    ],
)
def test_what_ends_a_process_is_no_bad_cell(table, while_reading, error, told):
    def raising():
        raise error

    while_reading(raising)
    with pytest.raises(told) as caught:
        load_table(table, "y", ["a"])
    assert (told is error) != ("there is not enough memory" in str(caught.value))


def test_ctrl_c_while_a_file_is_read_ends_the_command(table, while_reading):
    seen = []

    def interrupt():
        seen.append(1)
        ctrl_c()

    while_reading(interrupt)
    is_interrupted(run("train", table, "--target", "y"))
    assert seen


def test_ctrl_c_in_a_query_of_duckdb_ends_the_command(table, monkeypatch):
    blocks = duck.blocks

    def interrupted(relation):
        yield from blocks(relation)
        into_runtime_error()

    monkeypatch.setattr(duck, "blocks", interrupted)
    is_interrupted(run("train", table, "--target", "y"))


def test_only_a_cause_counts_not_what_was_handled_around_it():
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        try:
            raise ValueError("bad cell")
        except ValueError as error:
            raise_fatal_cause(error)
    inner, outer = TypeError("inner"), ValueError("outer")
    inner.__cause__, outer.__cause__ = KeyboardInterrupt(), inner
    with pytest.raises(KeyboardInterrupt):
        raise_fatal_cause(outer)


# Somebody keeps it


def into_value_error(*_, **__):
    try:
        ctrl_c()
    except KeyboardInterrupt:
        raise ValueError("could not convert string") from None


def into_runtime_error(*_, **__):
    """As DuckDB does."""
    try:
        ctrl_c()
    except KeyboardInterrupt:
        raise RuntimeError("Query interrupted") from None


class Keeper:
    """Its destructor is interrupted, and Python prints what a destructor raises, and goes on."""

    def __del__(self):
        ctrl_c()


def lose(*_, **__):
    Keeper()
    return load_table("xor")


@pytest.mark.parametrize("place", ["load_table", "Fitting", "plan"])
@pytest.mark.parametrize("interrupt", [ctrl_c, into_value_error])
def test_ctrl_c_that_became_another_error_ends_the_command(monkeypatch, place, interrupt):
    monkeypatch.setattr(sys.modules["fuseprop.cli.train"], place, interrupt)
    assert is_interrupted(run(*TRAIN)) == "interrupted."


def test_ctrl_c_that_a_destructor_lost_ends_the_command_before_training(monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["fuseprop.cli.train"], "load_table", lose)
    assert is_interrupted(run(*TRAIN, "--out", tmp_path / "m.safetensors")) == "interrupted."
    assert not list(tmp_path.iterdir())


def test_ctrl_c_that_is_lost_in_training_ends_it_with_the_epoch(monkeypatch):
    from fuseprop.training.loop import Training

    run_epoch, epochs = Training._run_epoch, []

    def lossy(self, compiled, history, *rest, **options):
        epochs.append(history.epochs)
        if len(epochs) == 2:
            Keeper()
        return run_epoch(self, compiled, history, *rest, **options)

    monkeypatch.setattr(Training, "_run_epoch", lossy)
    result = run(*TRAIN, "--epochs", 500, "--quiet")
    assert result.exit_code == 130
    assert "interrupted after 2 of 500 epochs; this is the model as it stands." in result.stderr
    assert len(epochs) == 2


@pytest.mark.parametrize("command", ["predict", "evaluate", "explain"])
def test_ctrl_c_ends_the_other_commands(monkeypatch, tmp_path, command):
    path = tmp_path / "m.safetensors"
    fuseprop.train("xor", epochs=1, device="cpu")[0].save(path)
    monkeypatch.setattr(fuseprop.Model, "table", into_value_error)
    is_interrupted(run(command, path, "xor", "--device", "cpu"))


def test_ctrl_c_while_arguments_are_looked_at(monkeypatch, tmp_path):
    monkeypatch.setattr("fuseprop.cli.parameters.check_plot", ctrl_c)
    assert is_interrupted(run(*TRAIN, "--plot", tmp_path / "p.png")) == "interrupted."


# After training


def test_a_finished_model_is_saved_before_the_command_ends(monkeypatch, tmp_path):
    path, fsync = tmp_path / "m.safetensors", os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (ctrl_c(), fsync(file)) if not path.exists() else None)
    result = run(*TRAIN, "--out", path, "--quiet")
    assert (result.exit_code, result.stderr.split()) == (130, ["interrupted."])
    assert f"model written to {path}" in result.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_second_ctrl_c_does_not_wait_for_it(monkeypatch, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda file: (ctrl_c(), ctrl_c()))
    result = run(*TRAIN, "--out", path, "--quiet")
    assert (result.exit_code, result.stderr.split()) == (130, SECOND.split())
    assert "model written" not in result.stdout
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]


def test_ctrl_c_while_a_picture_is_drawn_keeps_model_and_scores(monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(sys.modules["fuseprop.cli.train"], "save_figure", ctrl_c)
    path = tmp_path / "m.safetensors"
    result = run(*TRAIN, "--out", path, "--plot", tmp_path / "p.png", "--quiet")
    assert (result.exit_code, result.stderr.split()) == (130, ["interrupted."])
    assert f"model written to {path}" in result.stdout
    assert "picture written" not in result.stdout


@pytest.mark.parametrize("epochs", [0, 1])
def test_an_interrupted_model_goes_beside_the_good_one(monkeypatch, tmp_path, epochs):
    pytest.importorskip("matplotlib")
    in_pieces(monkeypatch)
    moment = "epoch_end" if epochs else "start"
    method = getattr(StopOnSignal, moment)
    monkeypatch.setattr(StopOnSignal, moment, lambda self, *given: (method(self, *given), ctrl_c()))
    path, beside = tmp_path / "m.safetensors", tmp_path / "m.interrupted.safetensors"
    path.write_bytes(b"a good model")
    result = run(*TRAIN, "--out", path, "--plot", tmp_path / "p.svg", "--epochs", 3000, "--batch-size", 1)
    told = [line for line in result.stderr.splitlines() if "interrupted" in line]
    assert result.exit_code == 130
    assert told == [
        f"interrupted after {epochs} of 3,000 epochs; this is the model as it stands, "
        f"to be kept in {beside}; {path} was not written."
    ]
    assert f"model written to {beside}" in result.stdout
    assert path.read_bytes() == b"a good model"
    assert fuseprop.load(beside, "cpu").feature_names == ("a", "b")
    assert (tmp_path / "p.svg").exists()


# Topics, estimators, and a process that ignores Ctrl-C


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_ctrl_c_ends_a_topic_at_once(monkeypatch, topic):
    from fuseprop import Network, Perceptron

    calls = []
    for kind in (Network, Perceptron):
        for name in ("fit", "forward", "predict", "train_step"):
            if hasattr(kind, name):
                method = getattr(kind, name)

                def first(self, *arguments, method=method, **given):
                    calls.append(method)
                    if len(calls) == 1 and method.__name__ == "fit" and isinstance(self, Network):
                        given["callbacks"] = [*given.get("callbacks", ()), Interrupting()]
                    elif len(calls) == 1:
                        ctrl_c()
                    return method(self, *arguments, **given)

                monkeypatch.setattr(kind, name, first)
    is_interrupted(run("learn", topic, "--device", "cpu"))
    assert len({id(call) for call in calls}) <= 2
    assert len(calls) <= 2


class Interrupting:
    def start(self, epochs, history):
        pass

    def epoch_end(self, history):
        ctrl_c()

    def end(self, history):
        pass


def test_ctrl_c_while_data_are_checked_leaves_an_estimator_as_it_was(monkeypatch):
    X, y = np.eye(4), [0, 1, 0, 1]
    model = MLPClassifier((2,), max_iter=9, random_state=0, tol=1e9, n_iter_no_change=1).fit(X, y)
    before = dict(vars(model))
    monkeypatch.setattr(MLPClassifier, "_initialize", ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert vars(model) == before


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            ctrl_c()
        assert not interruption.received
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_everything_is_as_before_afterwards():
    before = signal.getsignal(signal.SIGINT), sys.unraisablehook
    run(*TRAIN, "--quiet")
    assert (signal.getsignal(signal.SIGINT), sys.unraisablehook) == before


def process(code):
    """Run the command as a process of its own that begins with some code."""
    begin = "import os, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    run = "; from fuseprop.__main__ import main; sys.argv = ['fuseprop', '--version']; main()"
    return subprocess.run(
        [sys.executable, "-c", begin + code + run], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("module", ["fuseprop.cli", "numpy", "numpy.linalg", "click"])
def test_ctrl_c_while_the_command_imports_is_one_line(module):
    interrupting = f"lambda name, *_: os.kill(os.getpid(), 2) if name == {module!r} else None"
    done = process(f"sys.meta_path.insert(0, type('', (), {{'find_spec': staticmethod({interrupting})}}))")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\ninterrupted.\n")


def test_ctrl_c_while_python_ends_changes_nothing():
    done = process("import atexit; atexit.register(os.kill, os.getpid(), 2)")
    assert (done.returncode, done.stderr) == (0, "")
    assert "version" in done.stdout


def test_the_process_begins_with_what_python_has_loaded():
    """Ctrl-C during imports is only one line where they come after the first line of ours."""
    code = (
        "import sys; before = set(sys.modules); import fuseprop.__main__; print(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith("fuseprop")}
    assert ours == {"fuseprop", "fuseprop.__main__"}
    assert not {"numpy", "click", "typing", "re", "pathlib"} & set(done.stdout.split())
