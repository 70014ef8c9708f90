"""`fuseprop train --folds` and `--tune`: what they print, keep and refuse, and what Ctrl-C leaves."""

import csv
import json
import signal
import sys

import pytest
from click.testing import CliRunner
from collecting import in_pieces

import fuseprop
from fuseprop.cli import main
from fuseprop.plots import training_figure


def train(*arguments, members=1):
    command = ["train", *arguments, "--device", "cpu", "--epochs", 3, "--members", members]
    return CliRunner().invoke(main, [str(argument) for argument in command])


def test_folds_are_told_and_their_means_printed():
    result = train("iris", "--folds", "3x2")
    assert result.exit_code == 0
    assert "folds     6 trainings: 3 folds, dealt 2 times" in result.stderr
    assert "80 to learn from, 20 for validation, 50 for the test" in result.stderr
    assert [line for line in result.stderr.splitlines() if line.startswith("repeat 2, fold 3: loss")]
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["mean", "95%", "interval", "deviation"]
    assert [line.split()[0] for line in lines[1:4]] == ["loss", "accuracy", "baseline"]
    assert "model" not in result.stdout


def test_folds_as_json_are_those_of_python():
    result = train("iris", "--folds", 2, "--json", "--quiet", "--seed", 3)
    assert (result.exit_code, result.stderr) == (0, "")
    printed = json.loads(result.stdout)
    made = fuseprop.cross_validate("iris", folds=2, epochs=3, members=1, device="cpu", seed=3)
    assert printed["folds"]["mean"] == {name: mean.value for name, mean in made.means.items()}
    assert printed["folds"]["interval"] == {name: list(mean.interval) for name, mean in made.means.items()}
    assert [one["scores"] for one in printed["folds"]["each"]] == [fold.scores for fold in made.each]
    assert [one["rows"] for one in printed["folds"]["each"]] == [75, 75]
    assert (printed["model"], printed["task"], printed["settings"]["epochs"]) == (None, "exclusive", 3)


def test_a_model_that_is_kept_beside_folds_learns_from_all_rows(tmp_path):
    path = tmp_path / "m.safetensors"
    result = train("iris", "--folds", 2, "--out", path, "--json")
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert printed["rows"] == {"train": 120, "validation": 30, "test": 0}
    assert (printed["model"], printed["test_loss"]) == (str(path), None)
    assert printed["folds"]["trainings"] == 2
    whole, _ = fuseprop.train("iris", test=0.0, epochs=3, members=1, device="cpu")
    kept = fuseprop.load(path, "cpu")
    assert all(
        (a == b).all() for a, b in zip(kept.network.weights()[0], whole.network.weights()[0], strict=True)
    )
    said = train("iris", "--folds", 2, "--out", path, "--quiet").stdout
    assert "the model learned from all rows, so that none is left to test it" in said


def test_tuning_is_told_and_all_tries_are_in_a_table(tmp_path):
    path, tried = tmp_path / "m.safetensors", tmp_path / "tried.csv"
    result = train("iris", "--tune", 3, "--tried", tried, "--out", path)
    assert result.exit_code == 0
    assert "tuning    3 tries: the settings above, and others around them" in result.stderr
    assert "2 rounds by the validation loss: 3 for 1/3 of their epochs, 1 for all epochs" in result.stderr
    assert [line for line in result.stderr.splitlines() if line.startswith("round 1, settings 3: loss")]
    assert "\nsettings  " in result.stdout
    assert "the validation rows chose them" in result.stdout
    with tried.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["candidate"] for line in lines][:3] == ["1", "2", "3"]
    assert {line["candidate"] for line in lines if line["round"] == "2"} >= {"1"}
    model, report, _ = fuseprop.tune("iris", tries=3, epochs=3, members=1, device="cpu")
    kept = fuseprop.load(path, "cpu")
    assert all(
        (a == b).all() for a, b in zip(kept.network.weights()[0], model.network.weights()[0], strict=True)
    )
    assert f"{report.test['loss']:.4g}" in result.stdout


def test_tuning_as_json():
    printed = json.loads(train("iris", "--tune", 2, "--hidden", 5, "--json", "--quiet").stdout)
    tuning = printed["tuning"]
    assert "hidden" not in tuning["drawn"]
    assert "learning_rate" in tuning["drawn"]
    assert [one["candidate"] for one in tuning["tried"]] == [1, 2]
    assert tuning["chosen"] in tuning["tried"]
    assert tuning["chosen"]["learning_rate"] == printed["settings"]["learning_rate"]
    assert tuning["chosen"]["hidden"] == printed["settings"]["hidden"] == [5]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--folds", "1"), "at least 2 folds"),
        (("--folds", "5x"), "5x3"),
        (("--folds", "five"), "got 'five'"),
        (("--folds", "5x0"), "got '5x0'"),
        (("--folds", "2x1000000000000"), "at most 1000"),
        (("--folds", 5, "--test", 0.2), "Leave out --test"),
        (("--folds", 5, "--tune", 3), "Tune first"),
        (("--tune", 0), "--tune"),
        (("--tried", "t.csv"), "--tune N"),
        (("--tune", 3, "--tried", "t.txt"), "ends in .csv"),
        (("--tune", 3, "--tried", "there/is/no/t.csv"), "cannot be written"),
    ],
)
def test_wrong_use_is_told_before_training(arguments, said):
    result = train("iris", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_tuning_without_validation_rows_is_refused():
    result = train("xor", "--tune", 3)
    assert result.exit_code == 1
    assert "--validation 0.2" in result.stderr


@pytest.fixture
def ctrl_c_in(monkeypatch):
    """Send Ctrl-C at the beginning of an epoch, counted over all trainings from 1."""
    from fuseprop.training.loop import Training

    def send(epoch):
        run_epoch, seen = Training._run_epoch, []

        def interrupted(self, *rest, **options):
            seen.append(1)
            if len(seen) == epoch:
                signal.raise_signal(signal.SIGINT)
            return run_epoch(self, *rest, **options)

        monkeypatch.setattr(Training, "_run_epoch", interrupted)

    return send


def test_ctrl_c_in_a_fold_leaves_the_scores_of_those_before(ctrl_c_in, tmp_path):
    ctrl_c_in(8)
    path = tmp_path / "m.safetensors"
    result = train("iris", "--folds", 4, "--json", "--out", path)
    assert result.exit_code == 130
    assert "interrupted after 2 of 4 trainings; the scores are theirs." in result.stderr
    assert "no model was trained on all rows, so that none was written or drawn." in result.stderr
    printed = json.loads(result.stdout)
    assert (printed["folds"]["trainings"], printed["folds"]["interrupted"]) == (2, True)
    assert not path.exists()


def test_ctrl_c_in_the_first_fold_leaves_nothing(ctrl_c_in):
    ctrl_c_in(2)
    result = train("iris", "--folds", 4)
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.splitlines()[-1] == "interrupted."


def test_ctrl_c_in_tuning_keeps_the_best_so_far_beside_the_good_model(ctrl_c_in, tmp_path):
    ctrl_c_in(4)  # in the second round
    path, beside, tried = (
        tmp_path / name for name in ("m.safetensors", "m.interrupted.safetensors", "t.csv")
    )
    path.write_bytes(b"a good model")
    result = train("iris", "--tune", 3, "--out", path, "--tried", tried)
    assert result.exit_code == 130
    assert "interrupted after 3 trainings; this is the best model so far" in result.stderr
    assert path.read_bytes() == b"a good model"
    assert fuseprop.load(beside, "cpu").task.name == "exclusive"
    assert len(tried.read_text().splitlines()) == 4
    assert f"model written to {beside}" in result.stdout


def test_several_networks_a_training_are_told_and_in_the_table(tmp_path):
    tried = tmp_path / "tried.csv"
    result = train("iris", "--tune", 2, "--bins", 3, "--no-clip", "--tried", tried, members=2)
    assert result.exit_code == 0
    assert "; 3 epochs a network\n" in result.stdout
    with tried.open(newline="") as file:
        lines = list(csv.DictReader(file))
    names = ("epochs_allowed", "epochs", "members", "bins", "clip")
    assert [[line[name] for name in names] for line in lines] == [["3", "6", "2", "3", "False"]] * 2


@pytest.mark.parametrize("more", [(), ("--tune", 2)])
def test_ctrl_c_before_a_later_network_has_learned_keeps_the_first(ctrl_c_in, tmp_path, monkeypatch, more):
    in_pieces(monkeypatch)
    drawn, draw = [], training_figure

    def watched(history, *rest):
        drawn.append(history.epochs)
        return draw(history, *rest)

    monkeypatch.setattr(sys.modules["fuseprop.cli.train"], "training_figure", watched)
    ctrl_c_in(4)  # in the first epoch of the second network
    path, picture = tmp_path / "m.safetensors", tmp_path / "t.svg"
    result = train("iris", *more, "--out", path, "--plot", picture, members=3)
    assert result.exit_code == 130
    said = "after 1 training" if more else "in network 2 of 3, after 0 of 3 epochs; this is the model of the"
    assert f"interrupted {said}" in result.stderr
    assert fuseprop.load(tmp_path / "m.interrupted.safetensors", "cpu").task.name == "exclusive"
    assert drawn == [3]


def test_divergence_in_a_fold_is_told_with_it():
    result = train("diabetes", "--folds", 2, "--learning-rate", 1e30)
    assert result.exit_code == 4
    assert "That was in repeat 1, fold 1." in result.stderr
