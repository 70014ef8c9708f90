"""What steps, trainings and forks leave behind, for `test_leaks.py` and `long/leaks.py`."""

import os
import tempfile
import warnings
from pathlib import Path
from time import sleep

import numpy as np
from fuseprop_numpy.compiled.library import library
from fuseprop_numpy.compiled.recognise import recognise
from fuseprop_numpy.compiled.runner import CompiledStep
from kinds_of_steps import kind

from fuseprop import Checkpoint, MLPClassifier, MomentumSGD, Network, mlp

MEMORY = Path("/dev/shm")
"""A folder in memory, where there is one: on a disk, most of the time goes by in waiting for it."""

SIZES, ROWS, BATCH, THREADS = [200, 300, 5], 600, 256, 3
"""Steps of enough operations for all threads; each has 2 MB of its own."""


def resident():
    """Return the bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def threads():
    """Return how many threads this process has."""
    return len(list(Path("/proc/self/task").iterdir()))


def settled_threads():
    """Return how many threads there are when those that are about to end have ended."""
    fewest = threads()
    for _ in range(20):
        sleep(0.01)
        fewest = min(fewest, threads())
    return fewest


def descriptors():
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


class Trainings:
    """What is done again and again.

    Each method does it once; `fork` in a child, and it returns whether that ended well.
    """

    def __init__(self):
        rng = np.random.default_rng(0)
        self.X, self.labels = rng.standard_normal((ROWS, SIZES[0]), np.float32), rng.integers(0, 5, ROWS)
        training = kind("everything", replay="compiled", sizes=SIZES, dtype="float32")
        self._kept = training, training.program(training.batches[0])
        self._step = recognise(self._kept[1], training.backend.dtype)
        self.expected, self.expected_of_two = self.weights(), self.weights(epochs=2)
        self._folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self._path = Path(self._folder.name) / "run.safetensors"

    def weights(self, epochs=1, **how):
        """Return the bytes of what a training leaves."""
        network = Network(mlp(SIZES), "softmax_cross_entropy", seed=0, device="cpu")
        optimizer = MomentumSGD(0.05, 0.6)
        network.fit(self.X, self.labels, optimizer, epochs=epochs, batch_size=BATCH, **how)
        return b"".join(array.tobytes() for pair in network.weights() for array in pair)

    def compile(self):
        CompiledStep(library().functions, self._step, np.dtype("float32"))(0)
        return True

    def fit(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an epoch that is not enough
            MLPClassifier((300,), max_iter=1, batch_size=BATCH).fit(self.X, self.labels)
        return self.weights() == self.expected

    def checkpoint(self):
        """Train with checkpoints at every step, and go on with one more."""
        checkpoint = Checkpoint(self._path, "1 step", overwrite=True)
        whole = self.weights(checkpoint=checkpoint) == self.expected
        gone_on = self.weights(2, checkpoint=self._path, resume=True) == self.expected_of_two
        files = sorted(path.name for path in self._path.parent.iterdir())
        return whole and gone_on and files == ["run.previous.safetensors", "run.safetensors"]

    def fork(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
            child = os.fork()
        if child == 0:
            try:
                well = self.weights() == self.expected and threads() == THREADS
                os._exit(0 if well else 1)
            finally:
                os._exit(2)
        return os.waitpid(child, 0)[1] == 0


def left_by(what, times, say=lambda text: None):
    """Do something so often, after as many times as it takes to have all that is kept; return what was found.

    Parameters
    ----------
    what : "compile" | "fit" | "checkpoint" | "fork"
    times : int

    Returns
    -------
    dict
        "wrong": how often it did not end well; "threads" and "descriptors": how many more there are; "bytes":
        how much more memory.
    """
    library().functions.fuseprop_set_num_threads(THREADS)
    trainings = Trainings()
    once = getattr(trainings, what)
    for _ in range(max(20, times // 20)):
        once()
    memory, there, opened, wrong = resident(), settled_threads(), descriptors(), 0
    for done in range(1, times + 1):
        wrong += not once()
        if done % max(1, times // 10) == 0:
            more, others = resident() - memory, threads() - there
            say(f"{what}: {done:,} of {times:,}, {more:+,} bytes, {others:+} threads")
    return {
        "times": times,
        "wrong": wrong,
        "threads": settled_threads() - there,
        "descriptors": descriptors() - opened,
        "bytes": resident() - memory,
    }
