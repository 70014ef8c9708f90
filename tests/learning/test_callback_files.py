"""Files of callbacks: what another run wrote is not lost, and a file that fails takes no training with it."""

import csv
import errno
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

import fuseprop
from fuseprop import MLPClassifier, Table
from fuseprop.callbacks import HistoryCSV, OnEpochEnd, SaveBest
from fuseprop.callbacks.history import Score
from fuseprop.model.fitting import Fitting

RNG = np.random.default_rng(0)
TABLE = Table.of(RNG.normal(size=(60, 3)), RNG.normal(size=60))
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def fitting(table=TABLE, **given):
    return Fitting(
        table,
        **{"epochs": 4, "device": "cpu", "hidden": (4,), "members": 1, "optimizer": "momentum", "seed": 0}
        | given,
    )


def lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# The history


def test_the_history_of_another_run_is_not_truncated_untold(tmp_path):
    path = tmp_path / "h.csv"
    fitting().run(callbacks=[HistoryCSV(path)])
    before = path.read_bytes()
    again = fitting()
    start = again.model.network.weights()[0][0]
    with pytest.raises(FileExistsError, match=r"append=True.*overwrite=True.*h\.csv"):
        again.run(callbacks=[HistoryCSV(path)])
    assert path.read_bytes() == before
    np.testing.assert_array_equal(again.model.network.weights()[0][0], start)


def test_an_empty_file_holds_no_history(tmp_path):
    path = tmp_path / "h.csv"
    path.touch()
    fitting().run(callbacks=[HistoryCSV(path)])
    assert len(lines(path)) == 4


def test_appended_epochs_follow_under_one_header(tmp_path):
    path = tmp_path / "h.csv"
    histories = [fitting(seed=seed).run(callbacks=[HistoryCSV(path, append=True)]) for seed in (0, 1)]
    assert [float(line["train_loss"]) for line in lines(path)] == [
        loss for history in histories for loss in history.train_loss
    ]
    assert [line["epoch"] for line in lines(path)] == ["1", "2", "3", "4"] * 2


def test_cells_go_below_their_own_column(tmp_path):
    path = tmp_path / "h.csv"
    history = fitting().run(callbacks=[HistoryCSV(path)])
    header = path.read_text().splitlines()[0].split(",")
    path.write_text(",".join(reversed(header)) + "\n")
    fitting().run(callbacks=[HistoryCSV(path, append=True)])
    assert [float(line["train_loss"]) for line in lines(path)] == history.train_loss


def test_a_line_that_a_killed_run_left_half_done_is_ended_first(tmp_path):
    path = tmp_path / "h.csv"
    fitting().run(callbacks=[HistoryCSV(path)])
    whole = path.read_text()
    path.write_text(whole[:-5])
    fitting().run(callbacks=[HistoryCSV(path, append=True)])
    assert len(path.read_text().splitlines()) == 1 + 4 + 4


def test_overwriting_is_told_too(tmp_path):
    path = tmp_path / "h.csv"
    path.write_text("notes\n")
    fitting().run(callbacks=[HistoryCSV(path, overwrite=True)])
    assert len(lines(path)) == 4
    with pytest.raises(ValueError, match="exclude each other"):
        HistoryCSV(path, append=True, overwrite=True)


def test_other_columns_are_not_mixed(tmp_path):
    path = tmp_path / "h.csv"
    fitting().run(callbacks=[HistoryCSV(path)])
    before = path.read_bytes()
    with pytest.warns(UserWarning, match=r"h\.csv lacks the history from epoch 1 on: it has the columns"):
        history = fitting(validation=0.0).run(callbacks=[HistoryCSV(path, append=True)])
    assert history.stop_reason == "finished"
    assert path.read_bytes() == before


def test_what_is_no_history_is_not_appended_to(tmp_path):
    path = tmp_path / "h.csv"
    path.write_text("x" * 200_000)
    with pytest.raises(FileExistsError, match=r"no header of a history.*overwrite=True.*h\.csv"):
        fitting().run(callbacks=[HistoryCSV(path, append=True)])
    assert path.stat().st_size == 200_000


def test_warnings_hold_nothing_that_steers_a_terminal(tmp_path):
    path = tmp_path / "h\x1b[31m.csv"
    path.write_text("\x1b[31mred\n")
    with pytest.warns(UserWarning, match="lacks the history") as told:
        fitting().run(callbacks=[HistoryCSV(path, append=True)])
    best = tmp_path / "m\x1b[31m.safetensors"
    made = fitting()
    made.run(callbacks=[SaveBest(made.model, best)])
    again = fitting()
    with pytest.warns(UserWarning, match="keeps the model of an earlier run") as kept:
        again.run(callbacks=[SaveBest(again.model, best)])
    assert all(str(warning.message).isprintable() for warning in [*told, *kept])


@full
def test_a_full_disk_ends_the_history_and_not_the_training():
    with pytest.warns(UserWarning, match="/dev/full lacks the history from epoch 1 on: .*No space left"):
        history = fitting().run(callbacks=[HistoryCSV("/dev/full")])
    assert (history.epochs, history.stop_reason) == (4, "finished")


def test_errors_name_the_file(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere" / "h.csv"):
        with pytest.raises(OSError, match=re.escape(str(path))):
            fitting().run(callbacks=[HistoryCSV(path)])


# The best model


def saved(tmp_path):
    """A model in its file, with the score that it was saved with."""
    path = tmp_path / "best.safetensors"
    first = fitting(epochs=30, learning_rate=0.05)
    history = first.run(callbacks=[SaveBest(first.model, path)])
    return path, first.model, min(history.validation_loss)


def test_the_score_is_in_the_file(tmp_path):
    path, model, best = saved(tmp_path)
    assert model.saved_score(path) == Score("validation_loss", best)
    assert fuseprop.load(path, "cpu").saved_score(path) == Score("validation_loss", best)
    model.save(path)
    assert model.saved_score(path) is None


def test_a_second_run_does_not_replace_a_better_model(tmp_path):
    path, _, best = saved(tmp_path)
    before = path.read_bytes()
    second = fitting(epochs=3, learning_rate=1e-6)
    with pytest.warns(UserWarning, match=f"validation loss of {best:.6g}; no epoch of this run was better"):
        history = second.run(callbacks=[SaveBest(second.model, path)])
    assert min(history.validation_loss) > best
    assert path.read_bytes() == before


def test_a_second_run_replaces_a_worse_model_once_it_is_better(tmp_path):
    path, model, best = saved(tmp_path)
    model.save(path, score=Score("validation_loss", best * 1.0001))
    second = fitting(epochs=30, learning_rate=0.05)
    losses = []
    note = OnEpochEnd(lambda history: losses.append(second.model.saved_score(path).value))
    history = second.run(callbacks=[SaveBest(second.model, path), note])
    assert losses == np.minimum.accumulate([best * 1.0001, *history.validation_loss])[1:].tolist()
    assert losses[0] == best * 1.0001
    assert losses[-1] == best


def test_one_object_goes_on_where_it_was(tmp_path):
    path, model, best = saved(tmp_path)
    again = fitting(epochs=2, learning_rate=1e-6)
    keeping = SaveBest(again.model, path, overwrite=True)
    again.run(callbacks=[keeping])
    assert model.saved_score(path).value > best


def other_monitor(path):
    run = fitting(validation=0.0)
    return run, SaveBest(run.model, path)


def other_task(path):
    run = fitting(Table.of(TABLE.X, ["a", "b"] * 30))
    return run, SaveBest(run.model, path)


def other_loss(path):
    run = fitting(loss="mean_absolute_error")
    return run, SaveBest(run.model, path)


def other_features(path):
    run = fitting(Table.of(TABLE.X[:, :2], TABLE.targets))
    return run, SaveBest(run.model, path)


def no_score(path):
    run = fitting()
    run.model.save(path)
    return run, SaveBest(run.model, path)


def no_model(path):
    path.write_text("my notes")
    run = fitting()
    return run, SaveBest(run.model, path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (other_monitor, "was judged by its validation_loss, and this run by its train_loss"),
        (other_task, "has no score to compare with"),
        (other_loss, "has no score to compare with"),
        (other_features, "has no score to compare with"),
        (no_score, "has no score to compare with"),
        (no_model, "is no model"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_training(tmp_path, change, words):
    path, _, _ = saved(tmp_path)
    run, keeping = change(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=words) as caught:
        run.run(callbacks=[keeping])
    assert "overwrite=True" in str(caught.value)
    assert path.read_bytes() == before
    run.run(callbacks=[SaveBest(run.model, path, overwrite=True)])
    assert run.model.saved_score(path).monitor in ("validation_loss", "train_loss")


def test_a_place_that_cannot_be_written_is_known_before_training(tmp_path):
    run = fitting()
    with pytest.raises(OSError, match="does not exist"):
        run.run(callbacks=[SaveBest(run.model, tmp_path / "nowhere" / "m.safetensors")])


def test_a_disk_that_is_full_for_a_while_ends_no_training(tmp_path, monkeypatch):
    path = tmp_path / "best.safetensors"
    run, fsync = fitting(epochs=30, learning_rate=0.05), os.fsync
    seen = []

    def fails(descriptor):
        if not seen or seen[-1] > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fails)
    count = OnEpochEnd(lambda history: seen.append(history.epochs))
    with pytest.warns(
        UserWarning, match=r"epoch \d+ could not be saved in .*No space left.*that of epoch [123]\."
    ):
        history = run.run(callbacks=[SaveBest(run.model, path), count])
    assert history.stop_reason == "finished"
    assert history.best_epoch > 3
    assert run.model.saved_score(path).value == min(history.validation_loss[:3])


def test_an_estimator_is_refused(tmp_path):
    estimator = MLPClassifier()
    with pytest.raises(TypeError, match=r"the model must be a fuseprop\.Model, got MLPClassifier"):
        SaveBest(estimator, tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    "change",
    [{"score": []}, {"score": [1.0, 2.0]}, {"score": ["1"]}, {"score": 1.0}, {"monitor": ""}, {"monitor": 3}],
)
def test_a_score_that_is_none_is_refused(tmp_path, change):
    path, model, _ = saved(tmp_path)
    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["fuseprop"])
        tensors = {name: file.get_tensor(name) for name in list(file.keys())}
    path.write_bytes(save(tensors, {"fuseprop": json.dumps(about | change)}))
    with pytest.raises(fuseprop.ModelFileError, match=r"score|monitor"):
        model.saved_score(path)


def test_a_refusal_is_alone_and_tells_nothing_of_an_earlier_run(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    made = fitting()
    callback = SaveBest(made.model, path)
    path.write_text("notes")
    with pytest.raises(FileExistsError) as caught:
        made.run(callbacks=[callback])
    assert not hasattr(caught.value, "__notes__")
    path.unlink()
    monkeypatch.setattr("fuseprop.model.model.write_model", is_full)
    with pytest.warns(UserWarning, match="could not be saved"):
        made.run(callbacks=[callback])
    path.write_text("notes")
    with pytest.raises(FileExistsError) as caught:  # warnings are errors
        made.run(callbacks=[callback])
    assert not hasattr(caught.value, "__notes__")


def is_full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")
