"""Trainings that are ended at random moments, and go on: from a whole checkpoint, to the same bits.

By kill -9, while they keep a checkpoint at every step: once the first was written there is a whole one, as
late as the last that was told of. By SIGTERM, which ends training between two steps, and keeps a checkpoint
of that place, though none would be due for an hour. What goes on from there may be ended too, and leaves at
its end what the training leaves that nobody disturbed.
"""

import json
import os
import random
import signal
import traceback
import warnings
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from unittest import mock

import numpy as np

from fuseprop import Adam, Checkpoint, CheckpointError, EarlyStopping, MomentumSGD, Network, mlp
from fuseprop.callbacks import HistoryCSV, OnEpochEnd
from fuseprop.checkpoints import read_checkpoint
from fuseprop.checkpoints.reading import previous_of
from fuseprop.checkpoints.writing import write_checkpoint
from fuseprop.cli.interruption import Interruption, StopOnSignal
from fuseprop.schedules import Cosine

EPOCHS, ROWS, BATCH = 3, 40, 6
LIMIT = 120
"""Seconds after which a training hangs."""

MOST = 3
"""How often at most one training is ended."""

ENDS = {"kill": (signal.SIGKILL, "1 steps"), "SIGTERM": (signal.SIGTERM, "1 h")}
"""By what, the signal, and how often there is a checkpoint."""

BEGUN, TERMINATED = "begun", "terminated"
"""What a training tells where SIGTERM is remembered, and where it has ended by it."""

FILES = {"run.safetensors", "run.previous.safetensors", "history.csv"}


def momentum(place, **more):
    network = Network(mlp([4, 6, 3]), "softmax_cross_entropy", device="cpu", seed=0)
    return learned(network, MomentumSGD(0.05, 0.9), place, labels=True, validation=0.25, **more)


def dropped(place, **more):
    network = Network(mlp([4, 6, 3], dropout=0.3), "softmax_cross_entropy", device="cpu", seed=1)
    return learned(network, Adam(Cosine(0.02, EPOCHS)), place, labels=True, norms=True, **more)


def stopped(place, **more):
    layers = mlp([4, 5, 2], "tanh")
    network = Network(layers, "mean_squared_error", device="cpu", dtype="float64", seed=2)
    stopping = [EarlyStopping(1, min_delta=1.0)]
    return learned(network, Adam(0.01), place, validation=0.25, callbacks=stopping, **more)


TRAININGS = (momentum, dropped, stopped)


def learned(network, optimizer, place, *, labels=False, callbacks=(), also=(), every="1 steps", **more):
    """Train; return the digest of all that is to be the same, but for seconds.

    place : Path or None
        Where checkpoints and the history are kept; training goes on from what is there.
    also : sequence of Callback
        Others that change nothing.
    """
    rng = np.random.default_rng(0)
    X, values = rng.normal(size=(ROWS, 4)), rng.normal(size=(ROWS, 2))
    target = rng.integers(0, 3, ROWS) if labels else values
    kept = {}
    if place is not None:
        kept = {"checkpoint": Checkpoint(place / "run.safetensors", every), "resume": True}
        callbacks = [*callbacks, HistoryCSV(place / "history.csv"), *also]
    given = {"epochs": EPOCHS, "batch_size": BATCH, "callbacks": callbacks} | more | kept
    history = network.fit(X, target, optimizer, **given)
    if history.stop_reason in (TERMINATED, "interrupted"):  # by SIGTERM while callbacks are started
        return TERMINATED
    history.seconds = []
    made = sha256(repr((history, network.rng.bit_generator.state)).encode())
    for pair in network.weights():
        for array in pair:
            made.update(array.tobytes())
    rows = len((place / "history.csv").read_text().splitlines()) - 1 if place else history.epochs
    return f"{made.hexdigest()}, a history of {rows} rows"


class Child:
    """A function that runs in a forked child with a function as its argument, which tells a text.

    Attributes
    ----------
    told : list of str
        After `end`, what it told; last the result, or what was raised.
    code : int
        After `end`, how the child ended: 0, or the number of a signal, negative.
    """

    def __init__(self, function):
        read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
            self.number = os.fork()
        if self.number == 0:
            signal.alarm(LIMIT)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            text = traceback.format_exc
            try:
                made = function(lambda text: os.write(write, f"{json.dumps(text)}\n".encode()))
                os.write(write, f"{json.dumps(made)}\n".encode())
            except BaseException:
                os.write(write, f"{json.dumps(text()[-2000:])}\n".encode())
            finally:
                os._exit(0)
        os.close(write)
        self._read = read

    def end(self, seconds=None, number=signal.SIGKILL):
        """Wait until the child has ended, or send it a signal after some seconds; return the child."""
        if seconds is not None:
            sleep(seconds)
            os.kill(self.number, number)  # it is not waited for yet, so that its number is its own
        with open(self._read) as told:  # noqa: PTH123
            self.told = [json.loads(line) for line in told]
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])
        return self


class Slow(OnEpochEnd):
    """Tells that training has begun, and lets steps take so long that a signal comes between any two."""

    def __init__(self, tell):
        super().__init__(lambda history: None)
        self._tell = tell

    def start(self, epochs, history):
        self._tell(BEGUN)

    def batch_end(self, history, batch):
        sleep(0.02)


class Survival:
    """Trainings, what they leave undisturbed, and how long they take.

    Parameters
    ----------
    directory : Path
        An empty directory.
    seed : int
    """

    def __init__(self, directory, seed):
        self.directory, self.rng = directory, random.Random(seed)
        self.straight = {training: training(None) for training in TRAININGS}
        self._places = 0
        self.seconds = {(name, each): self._timed(name, each) for name in ENDS for each in TRAININGS}

    def trial(self, name, training):
        """End a training, once or more often, and let it go on to its end.

        Returns the epochs and steps of the checkpoints that it went on from, and what is wrong.
        """
        place, wrong, places = self._place(), [], []
        for _ in range(self.rng.randint(1, MOST)):
            child = self._start(name, training, place)
            child.end(self.rng.uniform(0, self.seconds[name, training]), ENDS[name][0])
            if child.code == 0 and child.told[-1] != TERMINATED:
                break  # it was at its end before
            wrong += self.wrong_in(name, place, child.told)
            places.append(self._position(place))
        else:
            child = self._start(name, training, place).end()
        if child.told[-1] != self.straight[training]:
            wrong.append(f"at the end it leaves {child.told[-1]}, and undisturbed {self.straight[training]}")
        left = {path.name for path in place.iterdir()} - FILES
        if left:
            wrong.append(f"{sorted(left)} are left")
        return places, [f"ended at {places}: {what}" for what in wrong]

    def wrong_in(self, name, place, told):
        """Return what is wrong with the checkpoints of a training that was ended and had told of some."""
        path = place / "run.safetensors"
        wrong = []
        written = [each for each in told if isinstance(each, list)]
        if BEGUN in told and not written:
            wrong.append("no checkpoint is kept of the place where it has ended")
        if not path.exists():
            return [*wrong, *(f"there is no checkpoint, and it had written {each}" for each in written[-1:])]
        try:
            found = read_checkpoint(path)
            if found.note:
                wrong.append(f"the checkpoint is not whole: {found.note}")
            position = self._position(place)
            if written and (position < written[-1] or (name == "SIGTERM" and position != written[-1])):
                wrong.append(f"the checkpoint is that of {position}, and {written[-1]} was written")
            if previous_of(path).exists():
                read_checkpoint(previous_of(path))
        except CheckpointError as error:
            wrong.append(f"a checkpoint cannot be read: {error}")
        return wrong

    def _position(self, place):
        """Return the epochs and steps of a checkpoint; [] where there is none."""
        path = place / "run.safetensors"
        return _position(read_checkpoint(path).state) if path.exists() else []

    def _timed(self, name, training):
        start = monotonic()
        made = self._start(name, training, self._place()).end().told[-1]
        assert made == self.straight[training], f"with checkpoints it leaves {made}"
        return monotonic() - start

    def _place(self):
        self._places += 1
        place = self.directory / str(self._places)
        place.mkdir()
        return place

    def _start(self, name, training, place):
        """Begin a training in a child, or go on with it; it tells of each checkpoint when that is written."""

        def run(tell):
            def write(path, state, **options):
                write_checkpoint(path, state, **options)
                tell(_position(state))

            with (
                mock.patch("fuseprop.checkpoints.keeper.write_checkpoint", write),
                warnings.catch_warnings(),
                suppress(KeyboardInterrupt),  # SIGTERM before training begins
                Interruption() as interruption,
            ):
                warnings.simplefilter("ignore")  # of what SIGTERM ends
                slow = [Slow(tell)] if name == "SIGTERM" else []
                return training(place, also=[StopOnSignal(interruption), *slow], every=ENDS[name][1])
            return TERMINATED

        return Child(run)


def _position(state):
    summary = state["summary"]
    return [summary["epoch"], summary["steps"]]


def run(times, directory, *, seed=0, say=lambda text: print(text, flush=True)):
    """End so many trainings by each signal that `times` has a number for; return what is to be recorded."""
    survival = Survival(Path(directory), seed)
    findings, made = [], {}
    for name, count in times.items():
        ended, places = 0, set()
        for number in range(1, count + 1):
            training = TRAININGS[number % len(TRAININGS)]
            moments, wrong = survival.trial(name, training)
            ended += len(moments)
            places |= {tuple(moment) for moment in moments}
            findings += [f"{name}, {training.__name__}, trial {number}, {what}" for what in wrong]
            for what in findings[len(findings) - len(wrong) :]:
                say(what)
            if number % 10 == 0:
                say(f"{name}: {number} of {count}")
        made[name] = {"trainings": count, "ended": ended, "different places": len(places)}
    return {
        "passed": not findings,
        **made,
        "seed": seed,
        "seconds": {
            f"{name}, {training.__name__}": round(seconds, 3)
            for (name, training), seconds in survival.seconds.items()
        },
        "findings": findings,
    }
