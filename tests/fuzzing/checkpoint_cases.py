"""Checkpoints: bytes, header, tensors or tree changed; with a digest that fits, or does not.

One whose digest fits may hold anything. It is refused, and the network stays as it was, or training goes on.
"""

import hashlib
import json
import random
import struct
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from damages import changed, damaged, dumped, text, value

sys.path.insert(0, str(Path(__file__).parents[1] / "checkpoints"))

from kept_trainings import LABELS, TRAININGS, StopsAfter, X

from fuseprop import Checkpoint, CheckpointError, DivergenceError, MLPClassifier, Table
from fuseprop.checkpoints import Keeper, read_checkpoint
from fuseprop.checkpoints.reading import KEY, previous_of
from fuseprop.checks.states import is_same
from fuseprop.model.fitting import Fitting

SUFFIX = ".safetensors"
REFUSAL = CheckpointError
WIDE = {"F32": ("F32", "I32", "U32"), "F64": ("F64", "I64", "U64"), "I64": ("I64", "U64", "F64")}
"""Dtypes of the same number of bytes."""

_recorded = {}
"""Settings, and digests of the rows, of the trainings by name."""


def seeds() -> list[bytes]:
    """Whole checkpoints, one of each training."""
    made = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, subject in SUBJECTS.items():
            path = Path(folder) / f"{name}{SUFFIX}"
            subject.stop(path)
            made.append(path.read_bytes())
            state = read_checkpoint(path).state
            _recorded[name] = {part: state[part] for part in ("settings", "data")}
    return made


def make(rng: random.Random, whole: bytes) -> bytes:
    """A damaged file."""
    kind = rng.randrange(10)
    if kind < 2:
        return damaged(rng, whole)
    length = int.from_bytes(whole[:8], "little")
    header, data = json.loads(whole[8 : 8 + length]), bytearray(whole[8 + length : -32])
    del header["digest"]
    if kind < 7:
        tree = json.loads(header["__metadata__"][KEY])
        for _ in range(rng.randint(1, 3)):
            damage_the_tree(rng, tree, [name for name in header if name != "__metadata__"])
        header["__metadata__"][KEY] = dumped(rng, tree)
    elif kind < 9:
        for _ in range(rng.randint(1, 3)):
            damage_a_tensor(rng, header, data)
    else:
        changed(rng, header)
    return _joined(rng, header, bytes(data))


def damage_the_tree(rng: random.Random, tree: dict, tensors: list[str]) -> None:
    """Change a value, wherever it stands, as often as not to another one of its kind or to a hostile one."""
    if rng.random() < 0.3:
        changed(rng, tree)
        return
    at, key = rng.choice(list(_places(tree)))
    below = at[key]
    kind = rng.randrange(6)
    if kind == 0:
        at[key] = {"$tensor": rng.choice(tensors)}
    elif kind == 1:
        at[key] = {"$float": rng.choice(("nan", "inf", "-inf", "1e400", "x"))}
    elif kind == 2 and isinstance(below, int | float):
        at[key] = rng.choice(
            (below + 1, below - 1, -below, 0, 1, 2, 3, 0.5, 625, 2**32, 2**62, 2**128, 10**400)
        )
    elif kind == 3:
        at[key] = [below] * rng.choice((1, 2, 3 if isinstance(below, dict | list) else 1000))
    elif kind == 4 and isinstance(below, list):
        at[key] = below[:-1]
    else:
        at[key] = value(rng)


def _places(tree):
    """Yield each container and key in a tree."""
    for key, below in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield tree, key
        if isinstance(below, dict | list):
            yield from _places(below)


def damage_a_tensor(rng: random.Random, header: dict, data: bytearray) -> None:
    """Change the shape, the dtype or an element of a tensor, or let it have no elements and many rows."""
    entry = header[rng.choice([name for name in header if name != "__metadata__"])]
    begin, end = entry["data_offsets"]
    kind = rng.randrange(5)
    if kind == 0:
        n = int(np.prod(entry["shape"]))
        entry["shape"] = rng.choice(
            ([n], [n, 1], [1, n], [1] * 32 + [n], [n // 2, 2] if n % 2 == 0 else [n], [])
        )
    elif kind == 1:
        entry["dtype"] = rng.choice(WIDE.get(entry["dtype"], ("F32",)))
    elif kind == 2:
        entry["shape"] = rng.choice(([2**40, 0], [0], [0, 2**62], [0, 3], [3, 0, 2**20]))
        header[text(rng)] = {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}
        entry["data_offsets"] = [begin, begin]
    elif begin < end:
        width = {"F32": 4, "I32": 4, "U32": 4, "U8": 1, "BOOL": 1}.get(entry["dtype"], 8)
        dtype = {"F32": "<f4", "F64": "<f8"}.get(entry["dtype"])
        numbers = (np.nan, np.inf, -np.inf, 3e38, 1e-45, 0.0, -1.0)
        at = begin + rng.randrange(max(1, (end - begin) // width)) * width
        number = np.array(rng.choice(numbers), dtype).tobytes() if dtype else rng.randbytes(width)
        data[at : at + width] = number


class OfANetwork:
    """A training of `Network.fit`."""

    def __init__(self, training):
        self._training = training

    def stop(self, path):
        """Train until there is a checkpoint."""
        self._training.stop(self._training.network(), path)

    def begin(self):
        """Make a new network and optimizer."""
        self._network, self._optimizer = self._training.network(), self._training.optimizer()

    def go_on(self, path, into):
        """Go on from a checkpoint, and return the history."""
        return self._training.fit(self._network, optimizer=self._optimizer, resume=path, checkpoint=into)

    def state(self):
        """Return what a refused checkpoint must leave as it is, to compare."""
        network, optimizer = self._network, self._optimizer
        moments = [moment for moment in optimizer.moments if np.any(moment)]
        numbers = optimizer.epochs, optimizer.steps, len(moments), optimizer.current_learning_rate
        dropout = network.stack.dropout
        masks = None if dropout is None else (list(dropout.seeds), int(dropout.step[0]))
        return _bytes_of(network), network.rng.bit_generator.state, numbers, masks


class OfAnEstimator:
    """A training of `MLPClassifier.fit`, with a RandomState."""

    def stop(self, path):
        """Train until there is a checkpoint."""
        self.begin()
        self._estimator.set_params(callbacks=[StopsAfter(7)])
        self._estimator.fit(X, LABELS, checkpoint=Checkpoint(path, "1 step"))

    def begin(self):
        """Make a new estimator."""
        self._random_state = np.random.RandomState(3)
        how = {"hidden_layer_sizes": (4,), "batch_size": 6, "max_iter": 6, "early_stopping": True}
        self._estimator = MLPClassifier(**how, random_state=self._random_state, device="cpu")

    def go_on(self, path, into):
        """Go on from a checkpoint, and return the history."""
        return self._estimator.fit(X, LABELS, checkpoint=into, resume=path).history_

    def state(self):
        """Return what a refused checkpoint must leave as it is, to compare."""
        kind, keys, *rest = self._random_state.get_state()
        return sorted(vars(self._estimator)), kind, keys.tobytes(), rest


class OfAModel:
    """A training of three networks of a model, of which one is done."""

    def stop(self, path):
        """Train until there is a checkpoint."""
        self.begin()
        self._fitting.run(callbacks=[StopsAfter(12)], checkpoint=Checkpoint(path, "1 step"))

    def begin(self):
        """Make a new model."""
        how = {"hidden": (4,), "members": 3, "test": 0.0, "epochs": 4, "batch_size": 8, "seed": 5}
        self._fitting = Fitting(Table.of(X, LABELS), **how, device="cpu")

    def go_on(self, path, into):
        """Go on from a checkpoint, and return the history."""
        return self._fitting.run(checkpoint=into, resume=path)

    def state(self):
        """Return what a refused checkpoint must leave as it is, to compare."""
        return _bytes_of(self._fitting.model.network)


SUBJECTS = {name: OfANetwork(training) for name, training in TRAININGS.items()}
SUBJECTS |= {"estimator": OfAnEstimator(), "model": OfAModel()}


def check(path: Path, data: bytes, *, is_whole: bool) -> None:
    """Read a checkpoint, and go on from it. Raises CheckpointError."""
    found = read_checkpoint(path)
    assert found.path == path
    subject = _subject_of(found.state)
    subject.begin()
    before = subject.state()
    into = Checkpoint(path, "1 h") if len(data) % 4 == 0 else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            history = subject.go_on(path, into)
    except CheckpointError:
        assert subject.state() == before
        if into is not None:
            assert path.read_bytes() == data
            _refuse_to_replace(path)
        raise
    except DivergenceError:
        assert not is_whole
        return
    finally:
        previous_of(path).unlink(missing_ok=True)
    assert history.stop_reason is not None
    assert len(history.train_metric) == len(history.seconds) == history.epochs
    assert history.entry()["epoch"] == history.epochs


def _subject_of(state):
    """Return the training whose settings and rows are most like those of a state."""

    def alike(name):
        return sum(
            is_same(given.get(key), value)
            for part, values in _recorded[name].items()
            if isinstance(given := state.get(part), dict)
            for key, value in values.items()
        )

    return SUBJECTS[max(SUBJECTS, key=alike)]


def _bytes_of(network):
    return [array.tobytes() for pair in network.weights() for array in pair]


def _refuse_to_replace(path):
    """See that a training which does not go on from a file leaves it alone, and says so."""
    with pytest.raises(FileExistsError) as raised, Keeper(Checkpoint(path)).open():
        pass
    assert raised.value.strerror.isprintable()
    assert len(raised.value.strerror) < 2000


def _joined(rng, header, data):
    """Return a file of this header and data, with a digest at the end, which fits but for one in ten."""
    header["digest"] = {"dtype": "U8", "shape": [32], "data_offsets": [len(data), len(data) + 32]}
    written = dumped(rng, header).encode("utf-8", "surrogatepass")
    written += b" " * (-len(written) % 8)
    file = struct.pack("<Q", len(written)) + written + data
    return file + (hashlib.sha256(file).digest() if rng.random() < 0.9 else rng.randbytes(32))
