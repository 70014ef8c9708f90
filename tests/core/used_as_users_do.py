"""What a user does with files, in a process that `as_if_on.py` has prepared: commands, and calls of Python.

Every module is imported first. Prints what was done, a line each; fails at the first that does not work.
"""

import importlib
import io
import pkgutil
import sys
import warnings
from contextlib import redirect_stdout, suppress
from pathlib import Path

import numpy as np

warnings.simplefilter("error")
sys.argv[0] = "fuseprop"

PACKAGES = ("fuseprop", "fuseprop_numpy", "fuseprop_cupy")
EXTRAS = (
    "cupy",
    "cuda",
    "nvmath",
    "mpi4py",
    "sklearn",
    "matplotlib",
    "duckdb",
    "narwhals",
    "distributed",
    "dask",
)
"""What a module may ask for that is not installed."""

for package in map(importlib.import_module, PACKAGES):
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if found.name.endswith("__main__") or ".native" in found.name or ".peers." in found.name:
            continue
        try:
            importlib.import_module(found.name)
        except ImportError as error:
            if (error.name or "").partition(".")[0] not in EXTRAS:
                raise
print("all modules are imported")

from fuseprop_numpy import NumpyBackend  # noqa: E402
from fuseprop_numpy.compiled import library  # noqa: E402

library.FOLDER = Path("no engine is there")  # nothing is compiled on Windows: the wheel is the pure one
library.load.cache_clear()
library._chosen.cache_clear()

import fuseprop  # noqa: E402
from fuseprop.callbacks import HistoryCSV  # noqa: E402
from fuseprop.cli import main  # noqa: E402

LINE = "\r\n" if sys.platform == "win32" else "\n"


def command(*words, code=0):
    """Run the command; return what it prints to standard output."""
    said = io.TextIOWrapper(io.BytesIO(), "cp1252", newline=LINE, write_through=True)
    with redirect_stdout(said):
        try:
            main([str(word) for word in words], prog_name="fuseprop")
        except SystemExit as ended:
            if (ended.code or 0) != code:
                raise
    return said.buffer.getvalue().decode("cp1252")


def left_of_no_write(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith((".tmp", ".lock", ".new"))]


here = Path.cwd()
rng = np.random.default_rng(0)
X = rng.normal(size=(240, 3)).round(4)
y = np.where(X[:, 0] * X[:, 1] > 0, "süß", "no")

# Tables, from a file with the line ends and the encoding of Windows.
lines = ["a,b,c,what", *(f"{a},{b},{c},{t}" for (a, b, c), t in zip(X, y, strict=True))]
Path("table.csv").write_bytes("\r\n".join(lines).encode("cp1252"))
Path("new.csv").write_bytes("\r\n".join(line.rpartition(",")[0] for line in lines[:20]).encode())

TRAINING = ["--target", "what", "--epochs", 3, "--members", 2, "--out", "m.safetensors", "--quiet"]
command("train", "table.csv", *TRAINING)
first = Path("m.safetensors").read_bytes()
command("train", "table.csv", *TRAINING)
assert Path("m.safetensors").read_bytes() == first, "a file that is replaced"
answers = command("predict", "m.safetensors", "new.csv")
assert answers.count(LINE) == 20, answers
assert "\r\r\n" not in answers
assert "süß" in answers
assert "accuracy" in command("evaluate", "m.safetensors", "table.csv")
assert "a" in command("explain", "m.safetensors", "table.csv")
assert "süß" in command("inspect", "table.csv", "--json")
print("train, predict, evaluate, explain and inspect")

found = command("doctor", "--json")
assert "compiled steps" in found
assert {"win32": "Windows AMD64", "darwin": "Darwin arm64"}[sys.platform] in found
print("doctor")

# A run that keeps its folder, and goes on in it.
options = ("--target", "what", "--epochs", 4, "--members", 1, "--quiet")
command("train", "table.csv", *options, "--run", "run", "--every", "1 epoch")
assert {"settings.toml", "model.safetensors", "history.csv", "scores.json"} <= {
    p.name for p in Path("run").iterdir()
}
assert b"\r" not in Path("run/history.csv").read_bytes()
command(
    "train",
    "table.csv",
    *options,
    "--checkpoint",
    "c.safetensors",
    "--every",
    "1 epoch",
    "--out",
    "n.safetensors",
)
print("a run in a folder, and checkpoints")

# Networks: checkpoints, and going on from one in the same bits; what is replaced, and kept.
T = np.unique(y, return_inverse=True)[1]


def network():
    return fuseprop.Network(fuseprop.mlp([3, 8, 1]), "sigmoid_cross_entropy", seed=1, device="cpu")


whole, begun, resumed = network(), network(), network()
assert isinstance(whole.backend, NumpyBackend)
assert whole.backend.replay != "compiled"


class Enough(Exception):
    """Ends a training as an error does."""


class EndsAt:
    def start(self, epochs, history):
        pass

    def epoch_end(self, history):
        if history.epochs == 4:
            raise Enough

    def end(self, history):
        pass


checkpoint = fuseprop.Checkpoint("training.safetensors", every="1 epoch")
whole.fit(X, T, epochs=6)
with suppress(Enough):
    begun.fit(X, T, epochs=6, checkpoint=checkpoint, callbacks=[EndsAt()])
resumed.fit(X, T, epochs=6, checkpoint=checkpoint, resume="training.safetensors")
assert np.array_equal(whole.predict(X), resumed.predict(X)), "not the same bits"
print("a checkpoint, and a training that goes on from it")

for _ in range(2):
    network().fit(X, T, epochs=3, callbacks=[HistoryCSV("h.csv", overwrite=True)])
assert len(Path("h.csv").read_bytes().split(b"\n")) == 5
assert b"\r" not in Path("h.csv").read_bytes()

model, _ = fuseprop.train("table.csv", target="what", epochs=2, members=1, device="cpu")
for _ in range(2):
    model.save("k.safetensors")
again = fuseprop.load("k.safetensors", device="cpu")
Path("k.safetensors").unlink()  # nobody keeps it open
assert again.predict(fuseprop.load_table("table.csv", target="what")).values.shape == (240,)
print("models that are saved, replaced, loaded and removed")

# A lock of another training, and of this process.
from fuseprop.storage.lock import LockedError, lock  # noqa: E402

with lock(Path("l")):
    try:
        with lock(Path("l")):
            raise AssertionError("it was locked twice")
    except LockedError:
        pass
print("locks")

# A folder where a file is expected, and a place that is taken.
Path("folder.csv").mkdir()
for words in (("predict", "folder.csv", "new.csv"), ("train", "folder.csv", "--target", "what")):
    command(*words, code=1)
command("train", "iris", "--epochs", 1, "--out", "folder.csv", "--quiet", code=2)
print("folders are refused")

try:
    from fuseprop import MLPClassifier
except ImportError:
    print("no estimators: scikit-learn is not there")
else:
    estimator = MLPClassifier(max_iter=3, early_stopping=True, random_state=0, device="cpu")
    with warnings.catch_warnings(action="ignore"):
        estimator.fit(X, y)
    estimator.save("e.safetensors")
    assert (MLPClassifier.load("e.safetensors").predict(X) == estimator.predict(X)).all()
    print("estimators")

assert not left_of_no_write(here), left_of_no_write(here)
assert not left_of_no_write(Path("run"))
print("nothing is left behind")
