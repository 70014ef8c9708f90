"""`fuseprop train --run`: what the folder of a run holds and when, and which folders are refused."""

import csv
import hashlib
import json
import tomllib

import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop.callbacks.history import History
from fuseprop.cli import main, run_folder
from fuseprop.cli.run_folder import RunFolder
from fuseprop.cli.run_history import RunHistory

FILES = ["environment.json", "history.csv", "model.safetensors", "scores.json", "settings.toml"]
CHECKPOINTS = ["checkpoint.previous.safetensors", "checkpoint.safetensors"]


def train(*arguments):
    command = ["train", *map(str, arguments)]
    return CliRunner().invoke(main, command)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "1,5,up\n2,7,down\n" * 20)
    return path


def short(table, *more):
    return (table, "--target", "y", "--epochs", 3, "--members", 2, "--device", "cpu", *more)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_holds_what_made_a_run_and_what_it_made(table, tmp_path):
    folder = tmp_path / "runs" / "first"
    result = train(*short(table, "--class-weight", "up=1,down=2", "--run", folder, "--json"))
    assert result.exit_code == 0
    assert names(folder) == CHECKPOINTS + FILES
    assert tomllib.loads((folder / "settings.toml").read_text()) == {
        "data": [str(table)],
        "target": ["y"],
        "epochs": 3,
        "members": 2,
        "device": "cpu",
        "class_weight": {"up": 1.0, "down": 2.0},
    }
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["fuseprop"] == fuseprop.__version__
    assert (environment["backend"], environment["device"]) == ("numpy", "cpu")
    content = table.read_bytes()
    assert environment["data"] == [
        {"path": str(table), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    ]
    scores = json.loads((folder / "scores.json").read_text())
    assert scores == json.loads(result.stdout)
    assert scores["model"] == str(folder / "model.safetensors")
    model = fuseprop.load(folder / "model.safetensors", "cpu")
    assert model.task.targets == ("y",)
    with (folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["network"], row["epoch"]) for row in rows] == [
        (str(network), str(epoch)) for network in (1, 2) for epoch in (1, 2, 3)
    ]
    assert {"train_loss", "validation_loss", "learning_rate", "seconds"} < rows[0].keys()


def test_a_run_can_be_run_again(table, tmp_path, monkeypatch):
    first, again = tmp_path / "first", tmp_path / "again"
    monkeypatch.chdir(tmp_path)
    assert train(*short("t.csv", "--hidden", "4", "--seed", 3, "--run", first)).exit_code == 0
    monkeypatch.chdir(first)
    assert train("--settings", "settings.toml", "--run", again).exit_code == 0
    for name in ("model.safetensors", "settings.toml"):
        assert (first / name).read_bytes() == (again / name).read_bytes()


def test_a_training_that_diverges_leaves_its_settings_and_no_model(table, tmp_path):
    result = train(
        *short(table, "--loss", "half_squared_error", "--learning-rate", 1e30, "--run", tmp_path / "r")
    )
    assert result.exit_code == 4
    assert names(tmp_path / "r") == ["environment.json", "history.csv", "settings.toml"]


def test_nothing_is_made_where_the_data_are_refused(tmp_path, table):
    assert train(*short(table, "--run", tmp_path / "r"), "--target", "z").exit_code == 1
    assert not (tmp_path / "r").exists()


def test_a_folder_of_another_run_is_refused(table, tmp_path):
    for name in CHECKPOINTS[1:] + FILES:
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).touch()
        result = train(*short(table, "--run", folder))
        assert result.exit_code == 2
        assert f"{folder}: this folder holds another run ({name}). Name a new one" in result.stderr
        assert names(folder) == [name]


def test_other_files_in_a_folder_stay_as_they_are(table, tmp_path):
    for folder in (tmp_path / "runs", tmp_path / "runs" / "inner"):
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
    assert train(*short(table, "--run", tmp_path / "runs" / "inner")).exit_code == 0
    assert train(*short(table, "--run", tmp_path / "runs")).exit_code == 0
    assert names(tmp_path / "runs") == [*CHECKPOINTS, *FILES[:2], "inner", FILES[2], "notes.txt", *FILES[3:]]
    assert (tmp_path / "runs" / "notes.txt").read_text() == "mine"
    assert names(tmp_path / "runs" / "inner") == [*CHECKPOINTS, *FILES[:3], "notes.txt", *FILES[3:]]


def test_of_two_runs_that_begin_at_once_one_has_the_folder(tmp_path):
    RunFolder(tmp_path).begin("first = 1\n", {})
    with pytest.raises(FileExistsError, match="holds another run"):
        RunFolder(tmp_path).begin("second = 1\n", {})
    assert (tmp_path / "settings.toml").read_text() == "first = 1\n"


def test_a_folder_that_cannot_be_written_is_as_before(tmp_path, monkeypatch):
    def fail(path, data):
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(run_folder, "write_atomically", fail)
        with pytest.raises(OSError, match="No space left"):
            RunFolder(tmp_path).begin("a = 1\n", {})
    assert names(tmp_path) == []
    RunFolder(tmp_path).begin("a = 1\n", {})


def test_what_does_not_go_with_a_folder_is_refused(table, tmp_path):
    for more, said in (
        (("--out", tmp_path / "m.safetensors"), "--run keeps the model in"),
        (("--tune", 3), "--run keeps one training, and --tune makes many"),
        (("--folds", 3), "--run keeps one training, and --folds makes many"),
    ):
        result = train(*short(table, *more, "--run", tmp_path / "r"))
        assert (result.exit_code, said in result.stderr) == (2, True)
    result = train(*short(table, "--run", table))
    assert (result.exit_code, "t.csv is a file; expected the name of a folder." in result.stderr) == (2, True)
    assert names(tmp_path) == ["t.csv"]


def test_a_history_that_cannot_be_written_ends_no_training(table, tmp_path, monkeypatch):
    def fail(self, file, number, history, written):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunHistory, "_write", fail)
    result = train(*short(table, "--run", tmp_path / "r"))
    assert result.exit_code == 1
    place = tmp_path / "r" / "history.csv"
    assert result.stderr.endswith(f"Error: the history is not complete: {place}: No space left on device.\n")
    assert names(tmp_path / "r") == CHECKPOINTS + FILES


def epochs(*losses):
    return History("loss", train_loss=list(losses), train_metric=list(losses), seconds=[0.0] * len(losses))


def test_a_history_that_goes_on_begins_with_what_was_done(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("network,epoch\n1,1\n1,2\n2,1\n2,2\n2,3\n")
    with RunHistory(path, [epochs(4.0, 3.0)]) as recorder:
        history = epochs(9.0)
        recorder.start(3, history)
        assert path.read_text().endswith("2,3\n")  # it is whole until the first epoch ends
        history.train_loss.append(8.0)
        history.train_metric.append(8.0)
        history.seconds.append(0.0)
        recorder.epoch_end(history)
        with path.open(newline="") as file:
            rows = [(row["network"], row["epoch"], row["train_loss"]) for row in csv.DictReader(file)]
    assert rows == [("1", "1", "4.0"), ("1", "2", "3.0"), ("2", "1", "9.0"), ("2", "2", "8.0")]


def test_the_entry_of_an_epoch_that_is_not_there_is_refused():
    history = epochs(4.0, 3.0)
    assert history.entry(1)["train_loss"] == 4.0
    assert history.entry(2) == history.entry()
    for epoch in (0, -1, 3):
        with pytest.raises(IndexError, match=f"from 1 to 2, got {epoch}"):
            history.entry(epoch)
