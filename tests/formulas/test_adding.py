"""Adding a formula: one file by hand, one command, and everything there is knows it.

An activation and a loss are added to a copy of this repository by an edit of one file each, an update by one,
its optimizer's class and the list of those. `tests/derived.py` renews what is derived; then the tests that go
through all formulas run over the copy. One that does not meet the new ones has a list of names of its own.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]

COPIED = ("src", "backends", "tests", "benchmarks", "docker", "README.md", "pyproject.toml")

ACTIVATION = """
squareplus = _activation(
    "squareplus",
    "(z + sqrt(z^2 + b)) / 2",
    lambda z, b: 0.5 * (z + of.sqrt(z * z + b)),
    parameters={"b": Parameter(4.0, above=0)},
)
"""

LOSS = """
cauchy = _loss("cauchy", "log(1 + (y - t)^2)", lambda y, t: log1p((y - t) ** 2))
"""

UPDATE = '''
def _rmsprop() -> UpdateFormula:
    """Hinton 2012, lecture 6e."""
    a, b, epsilon, v = (variable(name) for name in ("a", "b", "epsilon", "v"))
    square = b * v + (1 - b) * (G * G)
    return UpdateFormula(W - a * G / (sqrt(square) + epsilon), (("v", square),), ("a", "b", "epsilon"))


UPDATES["rmsprop"] = RMSPROP = _rmsprop()
'''

OPTIMIZER = '''"""RMSProp: a step of every weight by the running size of its gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backend import HostArray, UpdateFormula
from ..formulas.updates import RMSPROP
from .flat import FlatOptimizer


@dataclass(eq=False)
class RMSProp(FlatOptimizer):
    """v = b v + (1 - b) g^2, w = w - a g / (sqrt(v) + epsilon)."""

    learning_rate: float = 0.01
    b: float = 0.9
    epsilon: float = 1e-6
    weight_decay: float = 0.0
    clip_norm: float | None = None

    @property
    def formula(self) -> UpdateFormula:
        """What a step does."""
        return RMSPROP

    def _numbers(self, steps: int, decay: HostArray, dtype: np.dtype[np.floating]) -> HostArray:
        numbers = np.empty((*decay.shape, 4))
        numbers[..., 0], numbers[..., 1], numbers[..., 2] = self.current_learning_rate, self.b, self.epsilon
        numbers[..., 3] = decay
        return numbers
'''

BY_HAND = {
    "src/fuseprop/formulas/activations.py": ("\ndef as_activation(", ACTIVATION),
    "src/fuseprop/formulas/losses.py": ("\ndef as_loss(", LOSS),
    "src/fuseprop/formulas/updates.py": (None, UPDATE),
    "src/fuseprop/optimizers/__init__.py": (None, 'from .rmsprop import RMSProp\n\n__all__ += ["RMSProp"]\n'),
    "src/fuseprop/optimizers/rmsprop.py": (None, OPTIMIZER),
}
"""By file, before which line what stands; at the end without one."""

DERIVED = ["README.md", "backends/fuseprop_cupy/kernels/formulas.cuh", "tests/core/public_names.txt"]

TESTS = {
    "tests/core/test_contract.py": {
        "squareplus": ["replayed_step", "nan"],
        "cauchy": ["loss_of_rows", "replayed_step", "nan"],
        "rmsprop": ["test_update", "nan"],
    },
    "tests/core/test_gradients.py": {"squareplus": ["central"], "cauchy": ["central"]},
    "tests/formulas/test_families.py": {"squareplus": ["family", "pickled"], "cauchy": ["family", "pickled"]},
    "tests/formulas/test_kept_formulas.py": {"squareplus": ["kept_by_name"], "cauchy": ["kept_by_name"]},
    "tests/formulas/test_derivatives.py": {"squareplus": ["derivatives"], "cauchy": ["derivatives"]},
}
"""By file, the tests that each of the new names must have taken part in."""

USED = """
import numpy as np
from fuseprop import MLPRegressor, Network, load, mlp
from fuseprop.cli import main
from fuseprop.formulas import ACTIVATIONS, LOSSES, UPDATES, cauchy, squareplus
from fuseprop.optimizers import RMSProp

assert list(ACTIVATIONS)[-1] == "squareplus" and list(LOSSES)[-1] == "cauchy" and "rmsprop" in UPDATES
X = np.random.default_rng(0).normal(size=(60, 3))
y = X @ [1.0, -2.0, 0.5]

network = Network(mlp([3, 8, 1], squareplus(1)), cauchy, seed=0, device="cpu")
history = network.fit(X, y[:, None], RMSProp(0.01), epochs=40, batch_size=10)
assert history.train_loss[-1] < 0.3 * history.train_loss[0], history.train_loss

model = MLPRegressor(loss="cauchy", hidden_layer_sizes=(8,), activation="squareplus(0.5)", max_iter=30,
                     random_state=0, learning_rate_init=0.02, tol=0)
model.fit(X, y)
assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0], model.loss_curve_
model.save("kept.safetensors")
again = MLPRegressor.load("kept.safetensors")
assert np.array_equal(again.predict(X), model.predict(X))

words = "train diabetes --activation squareplus(2) --loss cauchy --epochs 2 --device cpu --out line.safetensors"
main(words.split(), standalone_mode=False)
assert load("line.safetensors").network.layers[0].function == squareplus(2)
assert load("line.safetensors").network.stack.loss == cauchy()
"""


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """A copy of the repository with one formula of each kind, as a hand leaves it."""
    folder = tmp_path_factory.mktemp("added")
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name, **({"ignore": ignored} if copy is shutil.copytree else {}))
    for name, (before, more) in BY_HAND.items():
        path = folder / name
        text = path.read_text() if path.exists() else ""
        at = len(text) if before is None else text.index(before)
        path.write_text(text[:at] + more + text[at:])
    return folder


def run(folder, *command, **options):
    paths = os.pathsep.join([str(folder / "src"), str(folder / "backends")])
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def renewed(added):
    """The copy, with what is derived rewritten."""
    status, said = run(added, "tests/derived.py")
    assert status == 0, said
    assert said.splitlines() == [f"{name} is written." for name in DERIVED]
    return added


def test_one_command_writes_the_rest(renewed):
    readme = (renewed / "README.md").read_text()
    assert "| `squareplus(b=4)` | (z + sqrt(z^2 + b)) / 2 | z, which is kept |" in readme
    assert "| `cauchy` | log(1 + (y - t)^2) | mean | identity | all | loss |" in readme
    assert "| `rmsprop` | v' = b * v + (1 - b) * (g * g); w' = w - a * g / (sqrt(v') + epsilon) |" in readme
    kernels = (renewed / DERIVED[1]).read_text()
    assert re.findall(r"struct (Squareplus|Cauchy|Rmsprop) \{", kernels) == [
        "Squareplus",
        "Cauchy",
        "Rmsprop",
    ]
    names = (renewed / DERIVED[2]).read_text()
    assert "fuseprop.optimizers.RMSProp(learning_rate=0.01, b=0.9" in names
    assert "fuseprop.Dense(activation=): " in names
    assert "squareplus" in names.partition("fuseprop.Dense(activation=): ")[2].partition("\n")[0]
    assert "cauchy" in names.partition("fuseprop.Network(loss=): ")[2].partition("\n")[0]


def test_they_can_be_used_everywhere_at_once(renewed):
    status, said = run(renewed, "-c", USED)
    assert status == 0, said


def test_every_test_over_formulas_meets_them(renewed):
    names = " or ".join(("squareplus", "cauchy", "rmsprop"))
    report = renewed / "report.xml"
    status, said = run(
        renewed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--backends=numpy", f"--junitxml={report}",
        "-k", f"({names}) and not float32-0.01", *TESTS,
    )  # fmt: skip
    assert status == 0, said[-5000:]
    passed = [
        (case.get("classname").replace(".", "/"), case.get("name"))
        for case in ElementTree.parse(report).iter("testcase")
        if not list(case)
    ]
    for file, needed in TESTS.items():
        for name, tests in needed.items():
            for test in tests:
                assert any(
                    where.startswith(file.removesuffix(".py")) and test in case and name in case
                    for where, case in passed
                ), f"{file}: no test of {test!r} has met {name}: is there a list of names?"
