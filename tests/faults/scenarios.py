"""What is done while calls fail, and what must hold then: files, errors, warnings, objects that go on.

A scenario is made once, and runs without faults then, for what it leaves undisturbed. In each child it
prepares a directory, acts in it, and tells what is wrong afterwards, when nothing fails any more.
"""

import csv
import io
import tempfile
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
from shim import KINDS

import fuseprop
from fuseprop import Table
from fuseprop.callbacks import HistoryCSV, OnEpochEnd, SaveBest
from fuseprop.checkpoints import read_checkpoint
from fuseprop.checkpoints.writing import write_checkpoint
from fuseprop.model.fitting import Fitting
from fuseprop.storage.atomic import write_atomically

OLD, NEW = b"old" * 1000, b"new" * 2000


class Scenario:
    """One of them.

    Attributes
    ----------
    names : tuple of str
        The files that are whole at any moment.
    kinds : tuple of str
        The kinds of calls that are to fail.
    least : int
        How many bytes an allocation that counts has; 0: none counts.
    """

    names = ("m.safetensors",)
    kinds = KINDS
    least = 0

    def prepare(self, place):
        """Fill the directory."""

    def act(self, place, mark):
        """Do what calls fail in; ``mark(text)`` tells how far it is."""
        raise NotImplementedError

    def wrong(self, place, raised, told, fault):
        """Return what is wrong, in words; `raised` is what `act` raised or None, `told` its warnings."""
        raise NotImplementedError

    def is_lost(self, mark, *left):
        """Return why these contents of the files are not what a loss of power may leave; "" if they are."""
        raise NotImplementedError


class Writing(Scenario):
    """A file is replaced."""

    def prepare(self, place):
        (place / self.names[0]).write_bytes(OLD)

    def act(self, place, mark):
        self.write(place / self.names[0])
        mark("written")

    def write(self, path):
        write_atomically(path, NEW)

    new = NEW

    def wrong(self, place, raised, told, fault):
        path = place / self.names[0]
        wrong = untyped(raised, path)
        if path.read_bytes() != (self.new if raised is None else OLD):
            wrong.append(f"the file is not the one {'written' if raised is None else 'before'}")
        self.write(path)
        if path.read_bytes() != self.new:
            wrong.append("the next write fails")
        return wrong + left_behind(place, self.names)

    def is_lost(self, mark, left):
        whole = (self.new,) if mark == "written" else (OLD, self.new)
        return "" if left in whole else f"{described(left)} after {mark or 'the beginning'}"


class Saving(Writing):
    """A model is saved."""

    def __init__(self):
        self.model = fitting().model
        self.new = saved(self.model)

    def write(self, path):
        self.model.save(path)


class KeepingBest(Scenario):
    """Training with SaveBest, on the file of an earlier and worse model."""

    def __init__(self):
        self.old = fitting()
        self.old.run()
        self.scores = []
        self.files = {b"": "none"}
        run = fitting()
        score = OnEpochEnd(lambda history: self._note(run.model, history))
        self.weights, self.losses = trained(run, [score])
        self.best = list(self.files)[-1]

    def _note(self, model, history):
        if history.best_epoch == history.epochs:
            score = fuseprop.callbacks.history.Score(history.monitor, history.score)
            self.files[saved(model, score)] = f"that of epoch {history.epochs}"

    def prepare(self, place):
        path = place / self.names[0]
        score = fuseprop.callbacks.history.Score("validation_loss", 1e6)
        self.old.model.save(path, score=score)
        self.before = path.read_bytes()

    def act(self, place, mark):
        self.run = fitting()
        keeping = SaveBest(self.run.model, place / self.names[0])
        told = OnEpochEnd(lambda history: mark(f"epoch {history.epochs}"))
        self.after = trained(self.run, [keeping, told])

    def wrong(self, place, raised, told, fault):
        path = place / self.names[0]
        wrong = untyped(raised, path)
        there = path.read_bytes()
        if there not in (self.before, *self.files):
            wrong.append(f"the file holds {described(there)}")
        if raised is None:
            wrong += self._otherwise(there, told)
        elif there != self.before:
            wrong.append("training was refused, and the file is another")
        self.run.model.save(path)
        fuseprop.load(path, device="cpu")
        return wrong + left_behind(place, self.names)

    def _otherwise(self, there, told):
        wrong = []
        if self.after != (self.weights, self.losses):
            wrong.append("training went another way")
        if (there == self.best) == bool(told):
            wrong.append(f"the file is {self.files.get(there, 'the one before')}, and it warns {told}")
        return wrong

    def is_lost(self, mark, left):
        if not mark:
            whole = {self.before, *self.files}
        else:
            whole = {data for data, epoch in self.files.items() if epoch != "none"}
        return "" if left in whole else f"{described(left)} after {mark or 'the beginning'}"


class KeepingHistory(Scenario):
    """Training with HistoryCSV."""

    names = ("history.csv",)

    def __init__(self):
        self.columns, self.rows = [], []
        self.weights, self.losses = trained(fitting(), [OnEpochEnd(self._note)])

    def _note(self, history):
        self.columns = list(history.entry())
        self.rows.append([str(value) for value in history.entry().values()][:-1])  # but for the seconds

    def act(self, place, mark):
        self.run = fitting()
        self.after = trained(self.run, [HistoryCSV(place / self.names[0])])

    def wrong(self, place, raised, told, fault):
        path = place / self.names[0]
        wrong = untyped(raised, path)
        if raised is None and self.after != (self.weights, self.losses):
            wrong.append("training went another way")
        text = path.read_text() if path.exists() else ""
        whole = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        header, *rows = list(csv.reader(io.StringIO("".join(whole)))) or [[]]
        if header not in ([], self.columns) or [row[:-1] for row in rows] != self.rows[: len(rows)]:
            wrong.append(f"the file holds {text!r}")
        if raised is None and (len(rows) == len(self.rows)) == bool(told):
            wrong.append(f"there are {len(rows)} rows of {len(self.rows)}, and it warns {told}")
        with warnings.catch_warnings(record=True) as later:
            warnings.simplefilter("always")
            trained(fitting(), [HistoryCSV(path, append=True)])
        last = list(csv.reader(io.StringIO(path.read_text())))[-len(self.rows) :]
        is_half_a_header = bool(text) and not whole  # below which nothing is written, and that is told
        if bool(later) != is_half_a_header or ([row[:-1] for row in last] != self.rows) != is_half_a_header:
            wrong.append(f"the next run adds {last}, and warns {[str(one.message) for one in later]}")
        return wrong + left_behind(place, self.names)

    def is_lost(self, mark, left):
        return ""  # a line may be lost: the file is written as an aid, and not synchronized


class Allocating(Scenario):
    """A network is trained where memory runs out."""

    names = ()
    kinds = ("allocate",)
    least = 1 << 12

    def __init__(self):
        rng = np.random.default_rng(0)
        self.X, self.y = rng.normal(size=(300, 40)), rng.integers(0, 3, 300)
        self.network = self.fresh()
        self.start = self.network.weights(), self.network.rng.bit_generator.state
        self.expected = self.learned()

    def fresh(self):
        layers = fuseprop.mlp([40, 64, 32, 3])
        return fuseprop.Network(layers, "softmax_cross_entropy", device="cpu", seed=0)

    def learned(self):
        """Train the network; return what that leaves, in bits."""
        history = self.network.fit(self.X, self.y, epochs=3, batch_size=32, validation=0.2)
        weights = b"".join(array.tobytes() for pair in self.network.weights() for array in pair)
        return weights, history.train_loss, history.validation_loss

    def prepare(self, place):
        self.network = self.fresh()

    def act(self, place, mark):
        self.after = self.learned()

    def wrong(self, place, raised, told, fault):
        wrong = []
        if raised is None and (self.after != self.expected or told):
            wrong.append(f"training went another way, and warns {told}")
        if raised is not None and not isinstance(raised, MemoryError):
            wrong.append(f"it raises {raised!r}, which is no MemoryError")
        if not all(np.isfinite(array).all() for pair in self.network.weights() for array in pair):
            wrong.append("weights are not finite")
        self.network.predict(self.X)
        weights, self.network.rng.bit_generator.state = self.start
        self.network.set_weights(weights)
        if self.learned() != self.expected:
            wrong.append("the network that is set back learns another way")
        return wrong


class Checkpointing(Scenario):
    """Training that keeps a checkpoint every three steps, of the ten of an epoch."""

    names = ("run.safetensors", "run.previous.safetensors")

    hidden = 4

    def __init__(self):
        rng = np.random.default_rng(0)
        self.X, self.y = rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
        self.straight = self.learned(None)
        self.whole = {}

    def learned(self, path, **more):
        """Train a network; return what that leaves, in bits."""
        layers = fuseprop.mlp([3, self.hidden, 3], dropout=0.1)
        network = fuseprop.Network(layers, "softmax_cross_entropy", device="cpu", seed=0)
        given = {"epochs": 2, "batch_size": 4, "validation": 0.2} | more
        kept = None if path is None else fuseprop.Checkpoint(path, every="3 steps")
        history = network.fit(self.X, self.y, fuseprop.Adam(0.01), checkpoint=kept, **given)
        weights = b"".join(array.tobytes() for pair in network.weights() for array in pair)
        return weights, history.train_loss, history.validation_loss, network.rng.bit_generator.state

    def act(self, place, mark):
        self.after, self.kept = None, 0

        def write(*given, **options):
            write_checkpoint(*given, **options)
            self.kept += 1
            mark(f"checkpoint {self.kept}")

        with mock.patch("fuseprop.checkpoints.keeper.write_checkpoint", write):
            self.after = self.learned(place / self.names[0])

    def wrong(self, place, raised, told, fault):
        path = place / self.names[0]
        wrong = self._ended_by(place, raised)
        if raised is None and self.after != self.straight:
            wrong.append("training went another way")
        if self.kept or path.exists():
            wrong += self._unreadable(path, raised, told)
        if self.learned(path, resume=True) != self.straight:
            wrong.append("what goes on from there goes another way")
        self.learned(path, resume=True, epochs=3)
        return wrong + left_behind(place, self.names)

    def _ended_by(self, place, raised):
        """Return what is wrong with an error: it is to come before training begins."""
        wrong = untyped(raised, *(place / name for name in self.names))
        return [*wrong, f"training ends with {raised!r}"] if raised is not None and self.kept else wrong

    def _unreadable(self, path, raised, told):
        """Return what is wrong with what is there: the checkpoint of the end, unless it is told otherwise."""
        try:
            found = read_checkpoint(path)
        except fuseprop.CheckpointError as error:
            return [f"no checkpoint can be read: {error}"]
        wrong = []
        if found.note and not told:
            wrong.append(f"untold, the last one is lost: {found.note}")
        if not found.state["summary"]["finished"] and not told and raised is None:
            wrong.append("untold, the last one is missing")
        return wrong

    def is_lost(self, mark, last, previous):
        least = int(mark.partition(" ")[2] or 0)
        numbers = [self._number(data) for data in (last, previous)]
        if None in numbers or (numbers[0] or 0) < least:
            return f"{described(last)}, and before {described(previous)}, after {mark or 'the beginning'}"
        return ""

    def _number(self, data):
        """Return which checkpoint a file holds, from 1: 0 for no file, None for one that is not whole."""
        if data is None:
            return 0
        if data not in self.whole:
            self.whole[data] = self._read(data)
        return self.whole[data]

    def _read(self, data):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.names[0]
            path.write_bytes(data)
            try:
                found = read_checkpoint(path).state["summary"]
            except fuseprop.CheckpointError:
                return None
            # Of eight steps, the third and sixth of an epoch and so on: by threes over epochs, and the last.
            return 6 if found["finished"] else (8 * found["epoch"] + found["steps"]) // 3


class Resuming(Checkpointing):
    """Training that goes on from a checkpoint."""

    def prepare(self, place):
        path = place / self.names[0]
        self.learned(path, epochs=1)

    def _ended_by(self, place, raised):
        if isinstance(raised, fuseprop.CheckpointError) and str(place / self.names[0]) in str(raised):
            return []
        return super()._ended_by(place, raised)

    def learned(self, path, **more):
        return super().learned(path, **{"resume": path is not None} | more)

    def is_lost(self, mark, last, previous):
        return "" if self._number(last) and self._number(previous) is not None else f"{described(last)}"


class CheckpointingWithoutMemory(Checkpointing):
    """Training that keeps checkpoints where memory runs out: for its steps or for its checkpoints."""

    kinds = ("allocate",)
    least = 1 << 12
    hidden = 1000

    def _ended_by(self, place, raised):
        if raised is None or isinstance(raised, MemoryError):
            return []
        return [f"it raises {raised!r}, which is no MemoryError"]


SCENARIOS = {
    "write": Writing,
    "save": Saving,
    "best": KeepingBest,
    "history": KeepingHistory,
    "memory": Allocating,
    "checkpoint": Checkpointing,
    "resume": Resuming,
    "checkpoint memory": CheckpointingWithoutMemory,
}


def fitting(**given):
    """A model of a small table that is to be trained."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    settings = {"epochs": 4, "device": "cpu", "hidden": (4,), "members": 1, "seed": 0, "learning_rate": 0.01}
    return Fitting(Table.of(X, X @ [1.0, 2.0, 3.0]), **settings | given)


def trained(run, callbacks):
    """Train; return the bytes of the weights and the losses."""
    history = run.run(callbacks=callbacks)
    weights = b"".join(array.tobytes() for pair in run.model.network.weights() for array in pair)
    return weights, [*history.train_loss, *history.validation_loss]


def saved(model, score=None):
    """Return the bytes of a model file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        model.save(path, score=score)
        return path.read_bytes()


def untyped(raised, *paths):
    """Return what is wrong with an error: it is to be an OSError that names one of these files."""
    if raised is None:
        return []
    if not isinstance(raised, OSError) or str(raised.filename) not in map(str, paths):
        return [f"it raises {raised!r}, which is no OSError with the path"]
    return []


def left_behind(place, names):
    """Return what is wrong with a directory: other files than these."""
    left = sorted({path.name for path in place.iterdir()} - set(names))
    return [f"{left} are left"] if left else []


def described(data):
    """Return what a file holds, in a few words."""
    return "no file" if data is None else f"{len(data)} bytes that begin with {data[:20]!r}"
