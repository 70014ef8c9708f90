"""`fuseprop train --on-divergence halve --on-oom halve`: what is said, and where it stands in the results."""

import json

import pytest
from click.testing import CliRunner
from little_device import Little

import fuseprop
from fuseprop.cli import main
from fuseprop.training.changed import SettingChanged

DESCENT = {"hidden": "none", "momentum": 0, "batch_size": 1000, "validation": 0, "epochs": 200}
"""Gradient descent on a quadratic whose largest curvature is about 8: it diverges above a rate of 0.25."""


def train(*arguments, **options):
    given = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    return CliRunner().invoke(main, ["train", *map(str, arguments), *given, "--device", "cpu"])


@pytest.fixture
def little(monkeypatch):
    """Let networks compute on a device with room for few of the rows of digits."""
    backend = Little()
    monkeypatch.setattr("fuseprop.network.load_backend", lambda *_: backend)
    backend.leave(900_000)
    return backend


def test_a_rate_that_was_halved_is_told_while_training_and_behind_it():
    result = train("diabetes", learning_rate=3, on_divergence="halve", **DESCENT)
    assert result.exit_code == 0
    assert "the rate halved where it diverges, seed 0" in result.stderr
    told = [line for line in result.stderr.splitlines() if line.startswith("Warning: ")]
    assert [line.split()[-1] for line in told] == ["1.5.", "0.75.", "0.375.", "0.1875."]
    (line,) = (line for line in result.stdout.splitlines() if "diverged" in line)
    assert line.startswith("the loss diverged; the learning rate was halved to 1.5 in epoch ")
    result = train("diabetes", "--json", "--quiet", learning_rate=3, on_divergence="halve", **DESCENT)
    (member,) = json.loads(result.stdout)["members"]
    assert [halving["learning_rate"] for halving in member["halvings"]] == [1.5, 0.75, 0.375, 0.1875]
    assert (member["batch_size"], member["epochs"]) == (1000, 200)


def test_without_it_divergence_ends_the_command():
    result = train("diabetes", learning_rate=3, on_divergence="stop", **DESCENT)
    assert result.exit_code == 4
    assert "Warning" not in result.stderr


def test_a_batch_that_was_halved_is_told_once(little):
    """The second network begins with the smaller one."""
    options = {"batch_size": 1024, "members": 2, "epochs": 1, "bins": 0, "hidden": 64, "on_oom": "halve"}
    result = train("digits", "--json", **options)
    assert result.exit_code == 0, result.stderr
    sizes = [member["batch_size"] for member in json.loads(result.stdout)["members"]]
    assert sizes[0] == sizes[1] < 1024
    assert "the batch halved where it has no room" in result.stderr
    told = [line for line in result.stderr.splitlines() if line.startswith("Warning: ")]
    assert told == [
        f"Warning: little has no room for batch_size=1024: training takes batch_size={sizes[0]} instead, and "
        f"the learning rate as it is."
    ]
    result = train("digits", "--quiet", **options)
    told = "network 1: the device had no room; a batch had "
    assert any(line.startswith(told) for line in result.stdout.splitlines())


def test_train_takes_both_as_keywords(little):
    options = {"batch_size": 1024, "members": 1, "epochs": 1, "bins": 0}
    with pytest.raises(MemoryError):
        fuseprop.train("digits", **options)
    with pytest.warns(SettingChanged):
        _, report = fuseprop.train("digits", **options, on_oom="halve", on_divergence="halve")
    assert report.history.batch_size < 1024
    with pytest.raises(ValueError, match='on_divergence "halved" is not known'):
        fuseprop.train("iris", on_divergence="halved")
