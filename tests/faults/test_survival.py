"""Trainings that are ended and go on: few here of those of `.ci/long resumes`, by kill -9 and SIGTERM."""

import os
import random
import signal

import numpy as np
import pytest
import survival
from survival import TRAININGS, Child, Survival, learned, momentum, run

from fuseprop import Checkpoint, CheckpointError, MomentumSGD, Network, mlp
from fuseprop.callbacks import OnEpochEnd
from fuseprop.checkpoints import read_checkpoint

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX processes")


def test_whatever_the_moment_training_goes_on_to_the_same_bits(tmp_path):
    made = run({"kill": 20, "SIGTERM": 5}, tmp_path, seed=1, say=lambda text: None)
    assert made["findings"] == []
    assert made["passed"]
    assert (made["kill"]["trainings"], made["SIGTERM"]["trainings"]) == (20, 5)
    assert made["kill"]["ended"] >= 10
    assert made["kill"]["different places"] > 3


@pytest.fixture
def killed(tmp_path):
    """A trial whose training was killed behind a checkpoint that it had told of."""
    trial = Survival.__new__(Survival)
    trial.directory, trial.rng, trial._places = tmp_path, random.Random(0), 0
    trial.straight, trial.seconds = {momentum: momentum(None)}, {("kill", momentum): 0.0}
    place = trial._place()
    child = trial._start("kill", momentum, place)
    with open(child._read, closefd=False) as told:
        first = told.readline()
    child.end(0)
    child.told.insert(0, [int(number) for number in first.strip("[]\n").split(",")])
    return trial, place, child.told


def test_a_checkpoint_that_is_lost_or_old_or_damaged_is_found(killed):
    trial, place, told = killed
    path, previous = place / "run.safetensors", place / "run.previous.safetensors"
    assert trial.wrong_in("kill", place, told) == []
    whole = path.read_bytes()
    assert "was written" in trial.wrong_in("kill", place, [*told, [9, 0]])[0]
    previous.write_bytes(b"half")
    assert "cannot be read" in trial.wrong_in("kill", place, told)[0]
    previous.write_bytes(whole)
    path.write_bytes(whole[:-1])
    assert "is not whole" in trial.wrong_in("kill", place, told)[0]
    path.unlink()
    assert "there is no checkpoint" in trial.wrong_in("kill", place, told)[0]
    assert trial.wrong_in("kill", place, []) == []
    assert "no checkpoint is kept" in trial.wrong_in("SIGTERM", place, ["begun", "terminated"])[0]


def test_another_end_and_what_is_left_are_found(killed, monkeypatch):
    trial, _, _ = killed
    trial.straight[momentum] = "other bits"
    monkeypatch.setattr(survival, "FILES", {"run.safetensors"})
    _, wrong = trial.trial("kill", momentum)
    assert any("undisturbed other bits" in what for what in wrong)
    assert any("'history.csv'" in what and "are left" in what for what in wrong)


def test_two_processes_cannot_write_the_same_checkpoints_until_one_is_killed(killed, tmp_path):
    trial, _, _ = killed
    place = trial._place()
    network = Network(mlp([4, 6, 3]), "softmax_cross_entropy", device="cpu", seed=0)

    def slow(tell):
        rng = np.random.default_rng(0)
        told = OnEpochEnd(lambda history: tell("running") if history.epochs == 3 else None)
        checkpoint = Checkpoint(place / "run.safetensors", "1 epoch")
        X, target = rng.normal(size=(40, 4)), rng.integers(0, 3, 40)
        network.fit(X, target, epochs=10**6, checkpoint=checkpoint, callbacks=[told])

    child = Child(slow)
    with open(child._read, closefd=False) as told:
        assert told.readline() == '"running"\n'
    for resume in (True, False):
        with pytest.raises(CheckpointError, match=rf"another process \({child.number}\) writes"):
            network.fit(
                np.zeros((4, 4)),
                [0, 1, 2, 0],
                checkpoint=place / "run.safetensors",
                resume=resume and place / "run.safetensors",
            )
    assert child.end(0).code == -signal.SIGKILL
    assert read_checkpoint(place / "run.safetensors").note == ""
    left = momentum(trial._place())
    for path in place.glob("run*"):
        path.unlink()
    assert momentum(place) == left == trial.straight[momentum]


def test_a_history_is_ahead_of_the_checkpoint_by_the_first_epoch(tmp_path):
    """A kill may fall between an epoch's line and its checkpoint."""

    class Ended(Exception):
        pass

    def end(history):
        raise Ended

    def fit(*callbacks, **more):
        network = Network(mlp([4, 6, 3]), "softmax_cross_entropy", device="cpu", seed=0)
        return learned(network, MomentumSGD(0.1), tmp_path, labels=True, callbacks=callbacks, **more)

    curve = tmp_path / "history.csv"
    with pytest.raises(Ended):
        fit(OnEpochEnd(end))
    assert len(curve.read_text().splitlines()) == 2
    assert read_checkpoint(tmp_path / "run.safetensors").state["summary"]["epoch"] == 0
    assert fit() == learned(
        Network(mlp([4, 6, 3]), "softmax_cross_entropy", device="cpu", seed=0),
        MomentumSGD(0.1),
        None,
        labels=True,
    )


def test_trainings_differ():
    assert len({training(None) for training in TRAININGS}) == len(TRAININGS)
