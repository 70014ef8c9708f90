"""What cannot be shown takes no result with it: pipes without a reader, full disks, closed streams."""

import json
import os
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop import Network, mlp
from fuseprop.callbacks.progress import Progress
from fuseprop.cli import main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX streams")
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
TRAIN = ("train", "xor", "--device", "cpu", "--epochs", 40)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "m.safetensors"


@pytest.fixture
def err(tmp_path):
    path = tmp_path / "stderr"
    yield path
    if path.exists():
        assert "Traceback" not in path.read_text()
        assert "Exception ignored" not in path.read_text()


def is_trained(path):
    return fuseprop.load(path, device="cpu").network.inputs == 2


@pytest.mark.parametrize("stderr", [pytest.param("/dev/full", marks=full), None])
def test_progress_that_cannot_be_shown_takes_nothing_with_it(forks, out, tmp_path, stderr):
    code = forks.run(*TRAIN, "--out", out, "--json", stdout=tmp_path / "stdout", stderr=stderr)
    assert code == 1
    made = json.loads((tmp_path / "stdout").read_text())
    assert (made["epochs"], made["stop_reason"], made["model"]) == (40, "finished", str(out))
    assert is_trained(out)


@pytest.mark.parametrize("stderr", [pytest.param("/dev/full", marks=full), None])
def test_without_progress_nothing_is_missing(forks, out, tmp_path, stderr):
    assert forks.run(*TRAIN, "--out", out, "--quiet", stdout=tmp_path / "stdout", stderr=stderr) == 0
    assert "model written" in (tmp_path / "stdout").read_text()


def reads_one_line(forks, tmp_path, arguments, name, **others):
    """Run the command with a reader of one of its streams that leaves after a line."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    streams = {"stdout": pipe, "stderr": pipe} if name == "both" else {name: pipe, **others}
    forks.start(*arguments, **streams)
    with pipe.open() as reader:
        reader.readline()
    return list(forks.marks())[-1][1]


@pytest.mark.parametrize("name", ["stderr", "both"])
def test_a_reader_of_progress_that_leaves_ends_no_training(forks, out, tmp_path, name):
    arguments = [*TRAIN, "--epochs", 2000, "--out", out]
    results = {"stdout": tmp_path / "stdout"} if name == "stderr" else {}
    assert reads_one_line(forks, tmp_path, arguments, name, **results) == 1
    assert is_trained(out)
    if results:
        assert "2,000 epochs" in results["stdout"].read_text()


COMMANDS = {
    "train": TRAIN,
    "predict": ("predict", "MODEL", "xor", "--device", "cpu"),
    "evaluate": ("evaluate", "MODEL", "xor", "--device", "cpu"),
    "explain": ("explain", "MODEL", "xor", "--device", "cpu"),
    "learn": ("learn", "example", "--device", "cpu"),
    "verify": ("verify", "--device", "cpu", "--network", "2-1", "--steps", "1", "--free-steps", "1"),
    "doctor": ("doctor",),
    "help": ("--help",),
    "version": ("--version",),
    "help of train": ("train", "--help"),
}
every_command = pytest.mark.parametrize("name", COMMANDS)
commands_but_doctor = pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"doctor"}))  # which is slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    fuseprop.train("xor", epochs=3, device="cpu")[0].save(path)
    return path


def of(name, model):
    return [model if argument == "MODEL" else argument for argument in COMMANDS[name]]


@full
@every_command
def test_results_that_cannot_be_written_are_an_error(forks, model, err, name):
    assert forks.run(*of(name, model), stdout="/dev/full", stderr=err) == 1
    told = [line for line in err.read_text().splitlines() if "No space left" in line]
    assert len(told) == 1
    assert told[0].startswith("Error: ")


@commands_but_doctor
def test_results_without_a_standard_output_are_an_error(forks, model, err, name):
    assert forks.run(*of(name, model), stdout=None, stderr=err) == 1
    told = err.read_text().splitlines()[-1]
    assert told.startswith("Error: ")
    assert told.endswith("standard output is closed.")


@pytest.mark.parametrize("name", ["predict", "learn", "help of train"])
def test_results_that_the_system_takes_a_part_of_are_whole_or_an_error(forks, model, tmp_path, err, name):
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert forks.run(*of(name, model), stdout=whole, stderr=err, unbuffered=True) == 0
    most = whole.stat().st_size - 9
    assert forks.run(*of(name, model), stdout=part, stderr=err, unbuffered=True, most_bytes=most) == 1
    assert part.read_bytes() == whole.read_bytes()[:most]
    assert "File too large" in err.read_text().splitlines()[-1]


@commands_but_doctor
def test_a_reader_of_results_that_leaves_is_told_nothing(forks, model, tmp_path, err, name):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.close(writer)
    child = forks.start(*of(name, model), stdout=pipe, stderr=err)
    latest = monotonic() + 60
    while os.path.realpath(f"/proc/{child}/fd/1") != str(pipe):  # the child may not have opened it yet
        assert monotonic() < latest
        sleep(0.001)
    os.close(reader)
    assert list(forks.marks())[-1][1] == 1
    assert "Error" not in err.read_text()


@full
def test_the_model_is_kept_where_the_results_are_lost(forks, out, err):
    assert forks.run(*TRAIN, "--out", out, stdout="/dev/full", stderr=err) == 1
    assert is_trained(out)
    assert err.read_text().splitlines()[-1].startswith("Error: the results could not be written: No space")


def test_nothing_is_written_into_a_model_because_a_stream_was_closed(out):
    """A real process: its next file would otherwise be standard error."""
    command = [sys.executable, "-m", "fuseprop", *map(str, TRAIN), "--out", str(out)]
    closing = f"import os, sys; os.close(2); os.close(0); os.execv(sys.executable, {command!r})"
    done = subprocess.run([sys.executable, "-c", closing], stdout=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"model written" in done.stdout
    assert is_trained(out)


def test_letters_that_standard_output_lacks_are_an_error_with_advice(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n" + "1,\u0142\n2,b\n" * 9, encoding="utf-8")
    arguments = ["train", str(tmp_path / "t.csv"), "--target", "y", "--epochs", "1", "--device", "cpu"]
    out = tmp_path / "m.safetensors"
    assert CliRunner().invoke(main, [*arguments, "--out", str(out)]).exit_code == 0
    result = CliRunner(charset="latin-1").invoke(main, ["predict", str(out), str(tmp_path / "t.csv")])
    assert result.exit_code == 1
    assert "latin-1, which lacks '\\u0142'. Set PYTHONIOENCODING=utf-8." in result.stderr


# Pictures


def table_of(names, tmp_path, classes=("a", "b")):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    y = np.array(classes)[(X[:, 0] > 0).astype(int)]
    path = tmp_path / "t.npz"
    np.savez(path, X=X, y=y, feature_names=np.array(names))
    return path


NAMES = [r"$\frac{1}{2$", "$a$ $", "\x1b[31mred\x07", "a\nb", "--><&]]>", "_", "$", "x" * 3000, "^{}%#~"]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_names_are_text_in_a_picture(tmp_path, suffix):
    pytest.importorskip("matplotlib")
    from fuseprop.plots import Curve, Figure, Panel, save_figure

    curves = [Curve(name, [1, 2], [1, 2]) for name in NAMES]
    panels = [Panel(name, name, name, curves[:1]) for name in NAMES] + [Panel("all", "x", "y", curves)]
    path = tmp_path / f"p{suffix}"
    save_figure(Figure(NAMES[0], panels), path)
    if suffix == ".svg":
        ElementTree.parse(path)


def test_a_feature_may_have_any_name(tmp_path):
    pytest.importorskip("matplotlib")
    data, plot = table_of(NAMES[:2], tmp_path, classes=("_no", NAMES[2])), tmp_path / "p.svg"
    arguments = ["train", str(data), "--epochs", "2", "--device", "cpu", "--plot", str(plot)]
    result = CliRunner().invoke(main, [*arguments, "--test", "0", "--validation", "0"])
    assert (result.exit_code, result.exception) == (0, None), result.output
    assert f"picture written to {plot}" in result.stdout
    ElementTree.parse(plot)


@pytest.mark.parametrize(
    "wrong", [("digits", "EXTRA"), ("--EXTRA", "digits"), ("digits", "--epochs", "EXTRA")]
)
def test_wrong_use_is_told_without_what_steers_a_terminal(wrong):
    result = CliRunner().invoke(main, ["train", *(word.replace("EXTRA", "\x1b[31mred") for word in wrong)])
    assert result.exit_code == 2
    assert r"\x1b[31mred" in result.stderr
    assert "\x1b" not in result.stderr


def test_paths_are_told_without_what_steers_a_terminal(tmp_path):
    pytest.importorskip("matplotlib")
    plot = tmp_path / "p\x1b[31mred.svg"
    for arguments in (["train", "xor", "--epochs", "1"], ["learn", "line"]):
        result = CliRunner().invoke(main, [*arguments, "--device", "cpu", "--plot", str(plot)])
        assert result.exit_code == 0
        assert r"\x1b[31mred.svg" in result.stdout
        assert "\x1b" not in result.output


def test_a_name_is_drawn_as_it_is(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    from fuseprop.plots import Curve, Figure, Panel, Regions, save_figure
    from fuseprop.plots.drawing.library import SETTINGS

    name = r"$\frac{1}{2}$"
    points = {"_hidden": np.zeros((1, 2)), name: np.ones((1, 2))}
    regions = Regions.of_scores(lambda rows: rows[:, 0] - 0.5, points)
    panels = [
        Panel(name, "_x", "a\x1bb", [Curve("_first", [1, 2], [1, 2]), Curve("$y$", [1, 2], [2, 1])]),
        Panel("p", "x", "y", ground=regions),
    ]
    monkeypatch.setitem(SETTINGS, "svg.fonttype", "none")
    save_figure(Figure(f"{name} and more", panels), tmp_path / "f.svg")
    drawn = "".join(ElementTree.parse(tmp_path / "f.svg").getroot().itertext())
    for word in (f"{name} and more", "_x", '"a\\x1bb"', "_first", "$y$", "_hidden"):
        assert word in drawn
    assert drawn.count(name) == 3


def failing(*_):
    raise RuntimeError("no pen")


@pytest.mark.parametrize("json_", [True, False])
def test_a_picture_that_cannot_be_drawn_takes_nothing_with_it(tmp_path, out, monkeypatch, json_):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(sys.modules["fuseprop.cli.train"], "save_figure", failing)
    options = ["--out", str(out), "--plot", str(tmp_path / "p.png"), *(["--json"] if json_ else [])]
    result = CliRunner().invoke(main, [*map(str, TRAIN), *options])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: the picture was not drawn: no pen"
    assert is_trained(out)
    assert "p.png" not in result.stdout
    assert json.loads(result.stdout)["plot"] is None if json_ else "model written" in result.stdout


def test_a_topic_keeps_its_table_without_its_picture(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(sys.modules["fuseprop.cli.learn"], "save_figure", failing)
    options = ["learn", "line", "--device", "cpu", "--plot", str(tmp_path / "p.png")]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 1
    assert "picture written" not in result.stdout
    assert result.stdout.startswith("line: ")
    assert result.stderr.splitlines() == ["Error: the picture was not drawn: no pen"]


def test_a_model_that_cannot_be_written_takes_no_scores_with_it(out, monkeypatch):
    def is_full(*_):
        raise OSError(28, "No space left on device", str(out))

    monkeypatch.setattr("fuseprop.model.model.write_model", is_full)
    result = CliRunner().invoke(main, [*map(str, TRAIN), "--json", "--out", str(out)])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["model"] is None
    assert f"the model was not written: {out}: No space left on device." in result.stderr


# Progress in Python


class Broken:
    """A stream that fails from its n-th write on."""

    def __init__(self, writes, error, terminal):
        self.left, self.error, self.terminal = writes, error, terminal

    def isatty(self):
        return self.terminal

    def fileno(self):
        raise OSError("none")

    def write(self, text):
        self.left -= 1
        if self.left < 0:
            raise self.error
        return len(text)

    def flush(self):
        pass


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("writes", [0, 1, 2])
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), BrokenPipeError(32, "Broken pipe"), RuntimeError("x")]
)
def test_fit_goes_on_without_its_display(terminal, writes, error):
    network = Network(mlp([2, 4, 1], "tanh"), "sigmoid_cross_entropy", seed=0, device="cpu")
    corners, answers = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    progress = Progress(Broken(writes, error, terminal))
    with pytest.warns(UserWarning, match="progress could not be shown: "):
        history = network.fit(corners, answers, epochs=9, callbacks=[progress])
    assert (history.epochs, history.stop_reason) == (9, "finished")
    assert progress.failure


@pytest.mark.parametrize("early_stopping", [True, False])
def test_an_estimator_goes_on_without_its_words(monkeypatch, early_stopping):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(sys, "stdout", Broken(3, OSError(28, "No space left"), terminal=False))
    model = fuseprop.MLPClassifier((3,), verbose=True, random_state=0, early_stopping=early_stopping, tol=1.0)
    X = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.warns(UserWarning, match="progress could not be shown: No space left"):
        model.fit(X, X[:, 0] > 0)
    assert model.stop_reason_ in ("converged", "early stopping")


def test_a_display_that_works_again_says_nothing():
    progress = Progress(Broken(10**6, OSError(), terminal=False))
    progress.failure = "before"
    network = Network(mlp([2, 1]), "half_squared_error", seed=0, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network.fit([[0, 1]], [1], epochs=2, callbacks=[progress])
    assert progress.failure == ""
