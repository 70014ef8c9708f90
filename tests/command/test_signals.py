"""SIGTERM, SIGHUP and a second Ctrl-C: what is kept, what is said, and the exit code 128 + n."""

import os
import signal
import subprocess
import sys
from time import sleep

import pytest
from click.testing import CliRunner
from collecting import in_pieces

import fuseprop
from fuseprop.cli import main
from fuseprop.cli.interruption import Interruption, StopOnSignal
from fuseprop.model.fitting import Fitting
from fuseprop.model.folds import Fold
from fuseprop.model.tuning import Trial

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
TRAIN = ("train", "xor", "--device", "cpu", "--epochs", 5)
QUICK = ("--device", "cpu", "--epochs", 2, "--members", 1, "--hidden", 4, "--batch-size", 64)
AGAIN = "interrupted again: nothing more was written."
terminating = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["TERM", "HUP"])


def send(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def no_signal_escapes():
    """A signal that the command does not handle fails the test, and does not end the tests."""

    def escaped(number, _):
        raise AssertionError(f"signal {number} was not handled by the command")

    before = {number: signal.signal(number, escaped) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def at_epoch(monkeypatch):
    """Return what sends signals as the last thing in an epoch, counted from 1 over all trainings."""

    def put(epoch, *numbers):
        epoch_end, ended = StopOnSignal.epoch_end, []

        def sent(self, history):
            ended.append(history)
            if len(ended) == epoch:
                send(*numbers)
            epoch_end(self, history)

        monkeypatch.setattr(StopOnSignal, "epoch_end", sent)

    return put


def ended_by(result, number, stderr):
    assert (result.exit_code, result.stdout) == (128 + number, ""), result.output
    assert result.stderr.strip() == stderr
    return True


# Outside of training


@terminating
@pytest.mark.parametrize("place", ["load_table", "Fitting"])
def test_the_command_ends_before_training(monkeypatch, tmp_path, number, place):
    monkeypatch.setattr(sys.modules["fuseprop.cli.train"], place, lambda *_, **__: send(number))
    assert ended_by(run(*TRAIN, "--out", tmp_path / "m.safetensors"), number, "terminated.")
    assert not list(tmp_path.iterdir())


@terminating
@pytest.mark.parametrize("command", ["predict", "evaluate", "explain"])
def test_the_other_commands_end(monkeypatch, tmp_path, number, command):
    path = tmp_path / "m.safetensors"
    fuseprop.train("xor", epochs=1, device="cpu")[0].save(path)
    monkeypatch.setattr(fuseprop.Model, "table", lambda *_, **__: send(number))
    assert ended_by(run(command, path, "xor", "--device", "cpu"), number, "terminated.")


@terminating
def test_a_topic_ends(monkeypatch, number):
    monkeypatch.setattr(fuseprop.Network, "fit", lambda *_, **__: send(number))
    assert ended_by(run("learn", "xor", "--device", "cpu"), number, "terminated.")


@terminating
def test_a_process_that_ignores_a_signal_goes_on_ignoring_it(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            send(number)
        assert not interruption.received
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_handlers_are_as_before_afterwards():
    numbers = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    before = [signal.getsignal(number) for number in numbers], signal.set_wakeup_fd(-1)
    assert run(*TRAIN, "--quiet").exit_code == 0
    assert ([signal.getsignal(number) for number in numbers], signal.set_wakeup_fd(-1)) == before


# In training


@terminating
def test_the_model_so_far_is_kept_and_nothing_is_scored(monkeypatch, tmp_path, at_epoch, number):
    monkeypatch.setattr(Fitting, "report", lambda self: pytest.fail("scores were computed"))
    path, beside = tmp_path / "m.safetensors", tmp_path / "m.interrupted.safetensors"
    path.write_bytes(b"a good model")
    at_epoch(2, number)
    result = run(*TRAIN, "--epochs", 3000, "--quiet", "--json", "--out", path)
    assert ended_by(
        result,
        number,
        f"terminated after 2 of 3,000 epochs; this is the model as it stands, to be kept in {beside}; "
        f"{path} was not written.",
    )
    assert path.read_bytes() == b"a good model"
    assert fuseprop.load(beside, "cpu").feature_names == ("a", "b")


def test_what_is_repeated_keeps_nothing_from_being_written(monkeypatch, tmp_path, at_epoch):
    """A supervisor repeats SIGTERM; a terminal that closes sends SIGHUP twice."""
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (send(signal.SIGTERM, signal.SIGHUP), fsync(file)))
    at_epoch(1, signal.SIGTERM, signal.SIGTERM)
    result = run(*TRAIN, "--quiet", "--out", tmp_path / "m.safetensors")
    assert result.exit_code == 143
    assert [file.name for file in tmp_path.iterdir()] == ["m.interrupted.safetensors"]


def test_a_training_that_has_finished_is_no_interrupted_one(tmp_path, at_epoch):
    path = tmp_path / "m.safetensors"
    at_epoch(5, signal.SIGTERM)
    told = f"terminated after training; the model was written to {path}."
    assert ended_by(run(*TRAIN, "--quiet", "--out", path), signal.SIGTERM, told)
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_finished_model_without_a_place_is_not_scored(at_epoch):
    at_epoch(5, signal.SIGTERM)
    assert ended_by(run(*TRAIN, "--quiet"), signal.SIGTERM, "terminated.")


@terminating
def test_a_model_is_written_before_the_command_ends(monkeypatch, tmp_path, number):
    path, fsync = tmp_path / "m.safetensors", os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (send(number), fsync(file)))
    told = f"terminated after training; the model was written to {path}."
    assert ended_by(run(*TRAIN, "--quiet", "--out", path), number, told)
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]


@terminating
def test_it_ends_the_scores_and_the_picture_of_a_finished_model(monkeypatch, tmp_path, number):
    monkeypatch.setattr(Fitting, "report", lambda self: send(number))
    path = tmp_path / "m.safetensors"
    assert ended_by(run(*TRAIN, "--quiet", "--out", path), number, "terminated.")
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]


def test_networks_that_are_done_make_the_model(tmp_path, at_epoch):
    at_epoch(5, signal.SIGTERM)
    result = run(*TRAIN, "--epochs", 2, "--members", 4, "--quiet", "--out", tmp_path / "m.safetensors")
    assert (
        "terminated in network 3 of 4, after 1 of 2 epochs; this is the model of the networks so far, 2 of"
        in (result.stderr)
    )
    assert (result.exit_code, result.stdout) == (143, "")
    kept = fuseprop.load(tmp_path / "m.interrupted.safetensors", "cpu")
    one = fuseprop.train("xor", epochs=1, members=1, device="cpu")[0]
    assert kept.network.layers[0].outputs == 2 * one.network.layers[0].outputs


@terminating
def test_training_ends_within_an_epoch(monkeypatch, tmp_path, number):
    in_pieces(monkeypatch)
    asks_to_stop, asked = StopOnSignal.asks_to_stop, []

    def sent(self):
        asked.append(self)
        if len(asked) == 2:
            send(number)
        return asks_to_stop(self)

    monkeypatch.setattr(StopOnSignal, "asks_to_stop", sent)
    result = run(
        "train", "line", *QUICK, "--batch-size", 1, "--validation", 0, "--out", tmp_path / "m.safetensors"
    )
    assert "\nterminated after 0 of 2 epochs; this is the model as it stands, to be kept in" in result.stderr
    assert (result.exit_code, result.stdout) == (128 + number, "")


# Folds and tuning


def while_told(monkeypatch, kind, *numbers):
    """Send signals when the second line of a fold or a trial is made."""
    described, told = kind.describe, []

    def sent(self):
        told.append(self)
        if len(told) == 2:
            send(*numbers)
        return described(self)

    monkeypatch.setattr(kind, "describe", sent)


def test_folds_end_without_scores(monkeypatch):
    while_told(monkeypatch, Fold, signal.SIGTERM)
    result = run(*TRAIN, "--folds", 4)
    assert (result.exit_code, result.stdout) == (143, "")
    assert result.stderr.endswith("\nterminated after 2 of 4 trainings.\n")


def test_a_search_keeps_its_best_model_and_what_it_tried(monkeypatch, tmp_path):
    while_told(monkeypatch, Trial, signal.SIGTERM)
    tried = tmp_path / "tried.csv"
    result = run("train", "line", *QUICK, "--tune", 4, "--tried", tried, "--out", tmp_path / "m.safetensors")
    assert (result.exit_code, result.stdout) == (143, "")
    assert "\nterminated after 2 trainings; this is the best model so far, to be kept in " in result.stderr
    assert len(tried.read_text().splitlines()) == 3
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.interrupted.safetensors", "tried.csv"]


# Twice


@pytest.mark.parametrize(
    ("first", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_second_ctrl_c_ends_training_at_once(tmp_path, at_epoch, first, code):
    at_epoch(2, first, signal.SIGINT)
    result = run(*TRAIN, "--quiet", "--out", tmp_path / "m.safetensors")
    assert (result.exit_code, result.stdout, result.stderr.strip()) == (code, "", AGAIN)
    assert not list(tmp_path.iterdir())


def test_ctrl_c_while_an_interrupted_model_is_scored_ends_that(monkeypatch, tmp_path, at_epoch):
    monkeypatch.setattr(Fitting, "report", lambda self: send(signal.SIGINT))
    at_epoch(2, signal.SIGINT)
    result = run(*TRAIN, "--quiet", "--out", tmp_path / "m.safetensors")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.startswith("\ninterrupted after 2 of 5 epochs")
    assert result.stderr.endswith(AGAIN + "\n")
    assert [file.name for file in tmp_path.iterdir()] == ["m.interrupted.safetensors"]


def test_sigterm_after_ctrl_c_scores_nothing(tmp_path, at_epoch):
    at_epoch(2, signal.SIGINT, signal.SIGTERM)
    result = run(*TRAIN, "--quiet", "--out", tmp_path / "m.safetensors")
    assert (result.exit_code, result.stdout) == (143, "")
    assert result.stderr.startswith("\nterminated after 2 of 5 epochs")


def test_a_second_ctrl_c_that_is_lost_is_not_printed_as_an_error(monkeypatch):
    class Lost:
        def __del__(self):
            send(signal.SIGINT)

    def load(*_, **__):
        for _ in range(2):
            Lost()
        return fuseprop.load_table("xor")

    monkeypatch.setattr(sys.modules["fuseprop.cli.train"], "load_table", load)
    assert ended_by(run(*TRAIN, "--quiet"), signal.SIGINT, AGAIN)


# As processes

IMPORTING = """
import os, signal, sys
interrupting = lambda name, *_: os.kill(os.getpid(), {number}) if name == "numpy" else None
sys.meta_path.insert(0, type("", (), {{"find_spec": staticmethod(interrupting)}}))
from fuseprop.__main__ import main
main()
"""


@terminating
def test_it_is_one_line_while_the_command_imports(number):
    begin = [sys.executable, "-c", IMPORTING.format(number=int(number))]
    done = subprocess.run(begin, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "\nterminated.\n")


STUCK = """
import ctypes, signal, sys, threading
import fuseprop.cli, fuseprop.__main__

library = ctypes.CDLL(None)

def load_table(*given, **options):
    mutex = ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    while True:
        try:
            print("stuck", file=sys.stderr, flush=True)
            library.pthread_mutex_lock(mutex)
        except (KeyboardInterrupt, SystemExit):  # a signal that came before the call
            continue

sys.modules["fuseprop.cli.train"].load_table = load_table
sys.argv = ["fuseprop", "train", "stuck.csv", "--target", "y"]
fuseprop.__main__.main()
"""


def test_a_second_ctrl_c_ends_a_call_of_c_that_does_not_return():
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr.readline() == "stuck\n"
    while process.poll() is None:  # two that are sent at once may arrive as one
        process.send_signal(signal.SIGINT)
        sleep(0.05)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.endswith(f"\n{AGAIN}\n")
