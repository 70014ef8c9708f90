"""`fuseprop train --checkpoint` and `--resume`: the same bits after any end, and what is refused in words."""

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop.checkpoints import Checkpoint, Keeper, keeper, read_checkpoint
from fuseprop.checkpoints.writing import write_checkpoint
from fuseprop.cli import main
from fuseprop.cli.interruption import StopOnSignal
from fuseprop.training.continuing import OTHER_BITS

EPOCHS = 4
ONE = ("--members", 1, "--hidden", 4)
SEVERAL = ("--members", 3, "--hidden", 4)
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


def train(*arguments, **options):
    return CliRunner().invoke(main, ["train", *map(str, arguments)], **options)


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "".join(f"{i % 9},{i * i % 7},{('up', 'down')[i % 2]}\n" for i in range(60)))
    return path


def short(*more):
    """Return the arguments of a training of several steps an epoch, which may be longer."""
    schedule = ("--schedule", "constant", "--epochs", EPOCHS, "--batch-size", 8, "--patience", 0)
    return ("t.csv", "--target", "y", "--device", "cpu", *schedule, *more)


@pytest.fixture
def ended(table):
    """A training with checkpoints that has come to its end."""
    assert train(*short(*ONE), "--checkpoint", "r.safetensors", "--quiet").exit_code == 0
    return Path("r.safetensors")


def asked(monkeypatch, number, act):
    """Call a function when training is asked so many times, between its steps, whether to end."""
    asks, count = StopOnSignal.asks_to_stop, [0]

    def counting(self):
        count[0] += 1
        if count[0] == number:
            act()
        return asks(self)

    monkeypatch.setattr(StopOnSignal, "asks_to_stop", counting)


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def without_seconds(path):
    with Path(path).open(newline="") as file:
        rows = csv.DictReader(file)
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in rows]


def results(stdout):
    """Return the results in JSON but for what another run has otherwise: times and places."""
    data = json.loads(stdout)
    return {name: value for name, value in data.items() if name not in ("seconds_per_epoch", "model")}


def refused(result, code, *said):
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    assert result.stderr.count("Error: ") == 1
    assert "Traceback" not in result.stderr
    for text in said:
        assert text in result.stderr
    return True


# The same bits

KILLED = """
import os, signal, sys
from fuseprop.cli.interruption import StopOnSignal
from fuseprop.__main__ import main

asks, left = StopOnSignal.asks_to_stop, [int(sys.argv.pop(1))]

def counting(self):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return asks(self)

StopOnSignal.asks_to_stop = counting
main()
"""
"""The command, which is killed when it is asked so many times, between two steps, whether to end."""


@posix
@pytest.mark.parametrize(("networks", "step"), [(ONE, 9), (SEVERAL, 33)], ids=["one", "several"])
def test_a_killed_run_goes_on_in_the_same_bits(table, networks, step):
    straight = train(*short(*networks, "--run", "straight", "--json"))
    command = [sys.executable, "-c", KILLED, step, "train", *short(*networks)]
    command += ["--run", "killed", "--every", "1 steps", "--quiet"]
    killed = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, ""), killed.stderr
    assert not Path("killed", "model.safetensors").exists()
    resumed = train("--resume", "killed", "--json")
    assert resumed.exit_code == 0, resumed.output
    assert "\ngoing on " in resumed.stderr
    assert results(resumed.stdout) == results(straight.stdout)
    assert results(Path("killed", "scores.json").read_text()) == results(straight.stdout)
    assert without_seconds("killed/history.csv") == without_seconds("straight/history.csv")
    for name in ("model.safetensors", "settings.toml"):
        assert Path("killed", name).read_bytes() == Path("straight", name).read_bytes()


@posix
@pytest.mark.parametrize(("networks", "step"), [(ONE, 9), (SEVERAL, 33)], ids=["one", "several"])
def test_a_terminated_training_tells_the_command_that_goes_on(table, monkeypatch, networks, step):
    """The pace is that of the first training, so that its steps are counted too."""
    straight = train(*short(*networks, "--out", "straight.safetensors", "--json"))
    ends = ("--checkpoint", "a run.safetensors", "--every", "1 steps", "--out", "m.safetensors", "--json")
    with monkeypatch.context() as patch:
        asked(patch, step, terminate)
        result = train(*short(*networks, *ends))
    assert (result.exit_code, result.stdout) == (143, "")
    told = result.stderr.splitlines()[-2:]
    assert told == [
        "the checkpoint is in a run.safetensors; to go on from there:",
        "fuseprop train --resume 'a run.safetensors' --out m.safetensors --json",
    ]
    with monkeypatch.context() as patch:
        asked(patch, 5, terminate)
        assert train(*shlex.split(told[1])[2:]).exit_code == 143
    resumed = train(*shlex.split(told[1])[2:])
    assert resumed.exit_code == 0, resumed.output
    assert results(resumed.stdout) == results(straight.stdout)
    assert Path("m.safetensors").read_bytes() == Path("straight.safetensors").read_bytes()


@posix
def test_ctrl_c_tells_it_last_too(table, monkeypatch):
    asked(monkeypatch, 3, lambda: os.kill(os.getpid(), signal.SIGINT))
    result = train(*short(*ONE, "--run", "r", "--quiet"))
    assert result.exit_code == 130
    assert result.stdout.startswith("  ")  # scores
    assert result.stderr.endswith(
        "the checkpoint is in r/checkpoint.safetensors; to go on from there:\n"
        "fuseprop train --resume r --quiet\n"
    )
    assert Path("r/model.interrupted.safetensors").exists()
    assert train("--resume", "r").exit_code == 0
    assert not Path("r/model.interrupted.safetensors").exists()


@posix
@pytest.mark.parametrize("every", ["1 steps", "60 s"])
def test_a_second_ctrl_c_tells_it_where_a_checkpoint_is(table, monkeypatch, every):
    def interrupt():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    asked(monkeypatch, 3, interrupt)
    result = train(*short(*ONE, "--run", "r", "--every", every, "--quiet"))
    assert (result.exit_code, result.stdout) == (130, "")
    told = "\ninterrupted again: nothing more was written.\n"
    if every == "1 steps":
        told += (
            "the checkpoint is in r/checkpoint.safetensors; to go on from there:\n"
            "fuseprop train --resume r --quiet\n"
        )
    assert result.stderr == told


STUCK = """
import ctypes, sys
from fuseprop.__main__ import main
from fuseprop.cli.interruption import StopOnSignal

library = ctypes.CDLL(None)

def epoch_end(self, history):
    if history.epochs < 3:
        return
    mutex = ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    while True:
        try:
            print("stuck", file=sys.stderr, flush=True)
            library.pthread_mutex_lock(mutex)
        except (KeyboardInterrupt, SystemExit):
            continue

StopOnSignal.epoch_end = epoch_end
main()
"""
"""The command, which is stuck in C at the end of the third epoch."""


@posix
def test_a_second_ctrl_c_in_a_call_of_c_tells_it_too(table):
    command = [sys.executable, "-c", STUCK, "train", *short(*ONE, "--run", "r", "--every", "1 steps")]
    process = subprocess.Popen(
        list(map(str, [*command, "--quiet"])),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr.readline() == "stuck\n"
    while process.poll() is None:  # two that are sent at once may arrive as one
        process.send_signal(signal.SIGINT)
        sleep(0.05)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert stderr.endswith("to go on from there:\nfuseprop train --resume r --quiet\n")


def test_what_has_ended_gives_its_results_again(ended):
    first = train(*short(*ONE, "--json"))
    for _ in range(2):
        again = train("--resume", ended, "--json")
        assert again.exit_code == 0
        assert results(again.stdout) == results(first.stdout)
        assert "nothing is left to train: r.safetensors is of the end of training" in again.stderr


def test_there_may_be_more_epochs(ended):
    longer = ("--epochs", EPOCHS + 2, "--json")
    straight = train(*short(*ONE, *longer))
    assert results(train("--resume", ended, *longer).stdout) == results(straight.stdout)
    shown = train("--resume", ended)  # which holds the new number
    assert "is of the end of training" in shown.stderr
    assert refused(
        train("--resume", ended, "--epochs", 2),
        2,
        "--resume: r.safetensors is past epoch 6, and here --epochs is 2. Give at least 6",
    )


@posix
def test_epochs_within_one_are_counted(table, monkeypatch):
    with monkeypatch.context() as patch:
        asked(patch, 9, terminate)  # an epoch has 5 steps
        assert train(*short(*ONE, "--checkpoint", "r.safetensors", "--every", "1 steps")).exit_code == 143
    result = train("--resume", "r.safetensors", "--epochs", 1)
    assert refused(result, 2, "r.safetensors is in epoch 2, and here --epochs is 1. Give at least 2, or")
    assert train("--resume", "r.safetensors", "--epochs", 2).exit_code == 0


def test_epochs_by_which_training_went_are_refused_by_name(table):
    for more, why in (
        ((*ONE, "--schedule", "cosine"), "by which the schedule cosine sets every learning rate"),
        ((*SEVERAL, "--schedule", "constant"), "for the 2 networks that are done"),
    ):
        place = f"{why[-4:]}.safetensors"
        assert train(*short(*more, "--checkpoint", place)).exit_code == 0
        for epochs in (EPOCHS - 1, EPOCHS + 8):
            result = train("--resume", place, "--epochs", epochs)
            said = f"here --epochs is {epochs}, and was {EPOCHS}, {why}. Leave --epochs out, or train anew"
            assert refused(result, 2, f"--resume: {place} is of another training: {said}")


def test_what_the_rules_chose_is_kept(ended):
    """A later version chooses another seed, say."""
    state = read_checkpoint(ended).state
    assert "seed" not in state["around"]["command"]["options"]
    state["around"]["command"]["settings"]["seed"] = 3
    state["around"]["model"]["settings"]["seed"] = 3
    write_checkpoint(ended, state, keeps_previous=False)
    assert refused(train("--resume", ended), 1, " rows differ")
    assert refused(train("--resume", ended, "--seed", 0), 2, "--seed is 0, and was 3")


# Restarted by the same command


@posix
@pytest.mark.parametrize(
    "place",
    [("--checkpoint", "r.safetensors", "--resume", "r.safetensors"), ("--run", "r", "--resume", "r")],
    ids=["file", "folder"],
)
def test_the_same_command_begins_and_goes_on(table, monkeypatch, place):
    straight = train(*short(*ONE, "--json"))
    command = short(*ONE, *place, "--json")
    with monkeypatch.context() as patch:
        asked(patch, 3, terminate)
        result = train(*command)
        assert result.exit_code == 143
        assert f"beginning anew: {place[1]} holds no checkpoint yet" in result.stderr
    for said in ("going on after epoch ", "nothing is left to train"):
        result = train(*command)
        assert result.exit_code == 0, result.output
        assert said in result.stderr
        assert results(result.stdout) == results(straight.stdout)


def test_an_empty_checkpoint_is_said_to_be_empty(table):
    place = Path("r.safetensors")
    place.touch()
    for more in ((), ("--checkpoint", "new.safetensors")):
        result = train(*short(*ONE, "--resume", place, *more))
        assert refused(
            result, 1, "r.safetensors is empty, and there is no checkpoint before it to go on from"
        )
    command = short(*ONE, "--checkpoint", place, "--resume", place, "--quiet")
    result = train(*command)
    assert result.exit_code == 0, result.output
    assert result.stderr == (
        "Warning: r.safetensors is empty, and there is no checkpoint before it: training begins anew.\n"
    )


def test_the_checkpoint_before_an_empty_one_is_taken(ended):
    write_checkpoint(ended, read_checkpoint(ended).state, keeps_previous=True)
    ended.write_bytes(b"")
    result = train("--resume", ended, "--quiet")
    assert result.exit_code == 0, result.output
    assert "goes on from the one before it, r.previous.safetensors" in result.stderr


def test_a_run_without_a_checkpoint_begins_anew_as_it_was_set(table):
    assert train(*short(*ONE, "--run", "r", "--seed", 2)).exit_code == 0
    model = Path("r/model.safetensors").read_bytes()
    for name in ("checkpoint.safetensors", "model.safetensors", "scores.json"):
        Path("r", name).unlink()
    result = train("--resume", "r")
    assert result.exit_code == 0
    assert "beginning anew: r holds no checkpoint yet" in result.stderr
    assert Path("r/model.safetensors").read_bytes() == model
    Path("r/checkpoint.safetensors").unlink()
    assert refused(train("--resume", "r"), 1, "there is no checkpoint in r to go on from")
    assert refused(train("t.csv", "--run", "r", "--resume", "r"), 2, "this folder holds another run")


# What is said


def test_other_bits_and_the_checkpoint_before_are_said(ended):
    state = read_checkpoint(ended).state
    state["arithmetic"]["fuseprop"] = "0.0.1"
    write_checkpoint(ended, state, keeps_previous=True)
    result = train("--resume", ended, "--quiet")
    assert result.exit_code == 0
    assert result.stderr.startswith(f"Warning: {OTHER_BITS}: fuseprop is ")
    assert result.stderr.count("\n") == 1
    ended.write_bytes(b"damaged")
    result = train("--resume", ended, "--quiet")
    assert result.exit_code == 0
    assert "Warning: r.safetensors is truncated or damaged" in result.stderr
    assert (
        "goes on from the one before it, r.previous.safetensors, at the end, after 4 epochs" in result.stderr
    )


def test_a_checkpoint_that_cannot_be_written_is_told_at_once_and_fails_the_command(table, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeper, "write_checkpoint", fail)
    result = train(*short(*ONE, "--checkpoint", "r.safetensors", "--every", "1 epoch"))
    assert result.exit_code == 1
    assert result.stdout.startswith("  ")  # the scores are there all the same
    lines = result.stderr.splitlines()
    told = [
        i for i, line in enumerate(lines) if line.startswith("Warning: the checkpoint after epoch 1 of 4")
    ]
    assert len(told) == 1
    assert "Training goes on" in lines[told[0]]
    assert any(line.startswith("epoch 4/4") for line in lines[told[0] :])
    assert lines[-1] == (
        "Error: the checkpoint at the end, after 4 epochs could not be written in r.safetensors: No space "
        "left on device. None of this run is there."
    )
    assert sum("could not be written" in line for line in lines) == 2


@posix
def test_a_signal_without_a_checkpoint_says_so(table, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeper, "write_checkpoint", fail)
    asked(monkeypatch, 2, terminate)
    result = train(*short(*ONE, "--checkpoint", "r.safetensors", "--quiet"))
    assert result.exit_code == 143
    assert "no checkpoint was written: nothing goes on from here.\nError: the checkpoint " in result.stderr


# Data


def test_data_are_checked_by_their_digests(ended, table):
    moved = table.rename("u.csv")
    assert refused(
        train("--resume", ended), 1, "t.csv, from which the training of r.safetensors began, is not there"
    )
    assert train(moved, "--resume", ended).exit_code == 0
    assert train("--resume", ended).exit_code == 0  # where they are now is recorded
    content = moved.read_text()
    moved.write_text(content.replace("up", "UP", 1))
    assert refused(
        train("--resume", ended), 1, "u.csv is not as it was when", "it has as many bytes, but others"
    )
    moved.write_text(content + "1,2,up\n")
    assert refused(
        train(moved, "--resume", ended), 1, "it has 493 bytes, and had 486. Give DATA as they were"
    )
    assert refused(train(moved, moved, "--resume", ended), 1, "DATA are 2 files, and were 1 when")


def test_standard_input_is_given_again(table):
    text = table.read_text()
    command = ("-", *short(*ONE)[1:])
    assert train(*command, "--checkpoint", "r.safetensors", input=text).exit_code == 0
    assert refused(train("--resume", "r.safetensors"), 1, "read standard input: give DATA again, such as -.")
    assert train("-", "--resume", "r.safetensors", input=text).exit_code == 0
    other = text.replace("up", "down", 5)
    assert refused(train("-", "--resume", "r.safetensors", input=other), 1, "the targets of test rows differ")


# Refused


def test_other_options_are_refused_by_name(ended, tmp_path):
    said = ("--hidden is 8, and was 4", "--seed is 1, and was 0", "--drop is a, and was not given")
    assert refused(train("--resume", ended, "--hidden", 8, "--seed", 1, "--drop", "a"), 2, *said)
    settings = tmp_path / "s.toml"
    settings.write_text("momentum = 0.5\nseed = 0\n")
    for order in (("--settings", settings, "--resume", ended), ("--resume", ended, "--settings", settings)):
        assert refused(train(*order), 2, "here --momentum is 0.5, and was not given. Leave")
    settings.write_text(f"hidden = [4]\nepochs = {EPOCHS + 1}\ndata = 't.csv'\n")
    result = train(
        "--settings", settings, "--resume", ended, "--target", "y", "--activation", "tanh", "--json"
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["epochs"] == EPOCHS + 1


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (("--checkpoint", "r.safetensors"), 2, "r.safetensors holds the checkpoint of another run, at"),
        (("--checkpoint", "r.ckpt"), 2, "expected a name that ends in .safetensors"),
        (("--checkpoint", "no/r.safetensors"), 2, "no/r.safetensors cannot be written: the directory no"),
        (("--out", "no/m.safetensors"), 2, "no/m.safetensors cannot be written: the directory no does"),
        (("--checkpoint", "x.safetensors"), 2, "what is in x.safetensors is no checkpoint, and is not"),
        (("--checkpoint", "n.safetensors", "--every", "5 parsec"), 2, "expected s, min, h, steps or epochs"),
        (("--every", "5 min"), 2, "--every says how often --checkpoint is written"),
        (("--resume", "n.safetensors"), 1, "n.safetensors: there is no such file"),
        (("--resume", "x.safetensors"), 1, "x.safetensors is truncated or damaged"),
        (("--resume", "t.csv"), 1, "t.csv is not a checkpoint"),
        (("--resume", "m.safetensors"), 1, "a model, and no checkpoint of a training. `fuseprop tra"),
        (("--resume", "python.safetensors"), 1, "is the checkpoint of a training in Python"),
        (("--resume", "later.safetensors"), 1, 'option "colour" is not known'),
        (("--resume", "folder"), 1, "there is no checkpoint in folder to go on from"),
        (("--resume", "r.safetensors", "--checkpoint", "x.safetensors"), 2, "is no checkpoint, and is not"),
        (("--resume", "r.safetensors", "--run", "d"), 2, "--run d is another place than --resume r.safe"),
        (("--run", "d", "--checkpoint", "n.safetensors"), 2, "--run keeps checkpoints in d/checkpoint.safet"),
        (("--resume", "r.safetensors", "--folds", 3), 2, "--resume goes on with one training, and --folds"),
        (("--resume", "r.safetensors", "--tune", 3), 2, "--resume goes on with one training, and --tune m"),
        (("--checkpoint", "n.safetensors", "--tune", 3), 2, "--checkpoint keeps one training, and --tune"),
    ],
)  # fmt: skip
def test_what_does_not_go_is_refused_in_words(ended, given, code, said):
    files = ended.read_bytes()
    Path("x.safetensors").write_bytes(b"1234")
    Path("folder").mkdir()
    if "m.safetensors" in given:
        fuseprop.train("xor", epochs=1, device="cpu")[0].save("m.safetensors")
    if "python.safetensors" in given:
        fuseprop.train("xor", epochs=1, device="cpu", checkpoint="python.safetensors")
    if "later.safetensors" in given:
        state = read_checkpoint(ended).state
        state["around"]["command"]["options"]["colour"] = "red"
        write_checkpoint(Path("later.safetensors"), state, keeps_previous=False)
    assert refused(train("t.csv", "--target", "y", *given), code, said)
    assert ended.read_bytes() == files
    assert not Path("d").exists()
    assert not Path("n.safetensors").exists()


def test_the_advice_is_of_the_command(ended):
    for given in (("t.csv", "--checkpoint", ended), ("--resume", ended, "--seed", 9)):
        stderr = train(*given).stderr
        assert "--resume" in stderr
        assert "=" not in stderr


def test_other_subcommands_say_how_a_checkpoint_goes_on(ended):
    for subcommand in ("predict", "evaluate"):
        result = CliRunner().invoke(main, [subcommand, str(ended), "t.csv"])
        said = (
            "r.safetensors is no model file, but the checkpoint of a training: `fuseprop train --resume FILE`"
        )
        assert refused(result, 1, f"{said} or fit(resume=...) goes on from it.")


def test_the_checkpoint_of_a_folder_goes_on_with_all_of_it(table):
    assert train(*short(*ONE, "--run", "r")).exit_code == 0
    assert refused(
        train("--resume", "r/checkpoint.safetensors"), 2, "belongs to the run in r. Name that folder"
    )
    assert refused(train("--resume", "r", "--out", "m.safetensors"), 2, "Leave out --out")
    assert refused(train(*short(), "--run", "r"), 2, "or go on there with --resume r")
    longer = train("--resume", "r", "--epochs", EPOCHS + 1)
    assert longer.exit_code == 0, longer.output
    assert f"epochs = {EPOCHS + 1}\n" in Path("r/settings.toml").read_text()
    assert len(without_seconds("r/history.csv")) == EPOCHS + 1


def test_two_trainings_on_one_checkpoint_are_refused(ended):
    with Keeper(Checkpoint(ended)).open(ended):
        said = "another training of this process writes checkpoints in r.safetensors. Wait until it has ended"
        assert refused(train("--resume", ended, "--quiet"), 1, said)
        again = train(*short(*ONE, "--checkpoint", ended))
        assert refused(again, 1, f"{said}, or name another file.")
        assert "remove" not in again.stderr


@pytest.mark.parametrize("more", [(), ("--resume", "r")], ids=["new", "resumed"])
def test_two_trainings_in_one_folder_are_refused(table, more):
    assert train(*short(*ONE, "--run", "r")).exit_code == 0
    place = Path("r/checkpoint.safetensors")
    with Keeper(Checkpoint(place)).open(place):
        said = f"writes checkpoints in {place}. Wait until it has ended, or name another folder."
        assert refused(train(*short(*ONE, "--run", "r", *more)), 1, said)


def test_a_folder_without_a_checkpoint_yet_says_how_it_goes_on(table):
    assert train(*short(*ONE, "--run", "r")).exit_code == 0
    for name in ("checkpoint.safetensors", "model.safetensors", "scores.json"):
        Path("r", name).unlink()
    said = "Name a new one, or go on there with --resume r."
    assert refused(train(*short(*ONE, "--run", "r")), 2, said)
    Path("r/model.safetensors").touch()
    assert "--resume r" not in train(*short(*ONE, "--run", "r")).stderr


def test_a_checkpoint_may_go_on_elsewhere(ended):
    before = ended.read_bytes()
    result = train("--resume", ended, "--checkpoint", "other.safetensors", "--epochs", EPOCHS + 1)
    assert result.exit_code == 0
    assert ended.read_bytes() == before
    assert read_checkpoint("other.safetensors").state["summary"]["epoch"] == EPOCHS + 1


def test_some_options_may_be_others(ended):
    result = train(
        "--resume", ended, "--device", "numpy", "--on-divergence", "halve", "--on-oom", "halve", "--json"
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["settings"]["on_divergence"] == "halve"


def test_a_picture_needs_no_norms_that_were_not_recorded(ended):
    pytest.importorskip("matplotlib")
    assert train("--resume", ended, "--plot", "p.png").exit_code == 0
    assert Path("p.png").exists()
    assert train(*short(*ONE), "--checkpoint", "n.safetensors", "--plot", "n.png").exit_code == 0
    assert train("--resume", "n.safetensors").exit_code == 0


# Different files


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ("--checkpoint", "w.safetensors", "--out", "w.safetensors"),
            "w.safetensors would hold both the model of --out and the checkpoint of --checkpoint. Name diff",
        ),
        (
            ("--checkpoint", "m.interrupted.safetensors", "--out", "m.safetensors"),
            "both the interrupted model of --out and the checkpoint of --checkpoint",
        ),
        (
            ("--checkpoint", "w.safetensors", "--out", "w.previous.safetensors"),
            "both the model of --out and the checkpoint before of --checkpoint",
        ),
        (("--checkpoint", "w.safetensors", "--out", "link.safetensors"), "both the model of --out and the"),
        (("--checkpoint", "link.safetensors", "--out", "w.previous.safetensors"), "the checkpoint before of"),
        (("--checkpoint", "w.safetensors", "--out", "../here/w.safetensors"), "both the model of --out and"),
        (("--resume", "r.safetensors", "--out", "r.safetensors"), "--out and the checkpoint of --resume"),
        (("--resume", "r.safetensors", "--out", "r.previous.safetensors"), "the checkpoint before of"),
    ],
)  # fmt: skip
def test_files_that_two_options_would_write_are_refused(ended, given, said, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    for name in ("r.safetensors", "t.csv"):
        (tmp_path / name).rename(tmp_path / "here" / name)
    monkeypatch.chdir(tmp_path / "here")
    Path("link.safetensors").symlink_to("w.safetensors")
    before = {path.name: path.is_symlink() or path.read_bytes() for path in Path().iterdir()}
    assert refused(train("t.csv", "--target", "y", *given), 2, said)
    assert {path.name: path.is_symlink() or path.read_bytes() for path in Path().iterdir()} == before


def test_a_picture_or_a_table_of_settings_is_another_file_too(table):
    pytest.importorskip("matplotlib")
    Path("x.png").symlink_to("m.safetensors")
    Path("x.csv").symlink_to("m.safetensors")
    for given, what in (("--plot", "picture of --plot"), ("--tried", "settings tried of --tried")):
        name = "x.png" if given == "--plot" else "x.csv"
        result = train(*short(), "--tune", 2, given, name, "--out", "m.safetensors")
        assert refused(result, 2, f"m.safetensors would hold both the {what} and the model of --out")
