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
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]

COPIED = ("src", "backends", "tests", "benchmarks", "docker", "README.md", "pyproject.toml")

ACTIVATION = """
snake = activation_family(  # Ziyin et al. 2020, "Neural networks fail to learn periodic functions"
    "snake",
    "z + sin(b z)^2 / b",
    lambda z, b: z + of.sin(b * z) ** 2 / b,
    parameters={"b": Parameter(2.0, above=0)},
)
"""

LOSS = """
cauchy = loss_family("cauchy", "log(1 + (y - t)^2)", lambda y, t: log1p((y - t) ** 2))
"""

UPDATE = '''
def _adagrad() -> UpdateFormula:
    """Duchi, Hazan & Singer 2011, "Adaptive subgradient methods"."""
    a, epsilon, s = variable("a"), variable("epsilon"), variable("s")
    total = s + G * G
    return UpdateFormula(W - a * G / (sqrt(total) + epsilon), (("s", total),), ("a", "epsilon"))


UPDATES["adagrad"] = ADAGRAD = _adagrad()
'''

OPTIMIZER = '''"""Adagrad: a step of every weight by the size of all its gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backend import HostArray, UpdateFormula
from ..formulas.updates import ADAGRAD
from .flat import FlatOptimizer


@dataclass(eq=False)
class Adagrad(FlatOptimizer):
    """s = s + g^2, w = w - a g / (sqrt(s) + epsilon)."""

    learning_rate: float = 0.1
    epsilon: float = 1e-6
    weight_decay: float = 0.0
    clip_norm: float | None = None

    @property
    def formula(self) -> UpdateFormula:
        """What a step does."""
        return ADAGRAD

    def _numbers(self, steps: int, decay: HostArray, dtype: np.dtype[np.floating]) -> HostArray:
        numbers = np.empty((*decay.shape, 3))
        numbers[..., 0], numbers[..., 1], numbers[..., 2] = self.current_learning_rate, self.epsilon, decay
        return numbers
'''

BY_HAND = {
    "src/fuseprop/formulas/activations.py": ACTIVATION,
    "src/fuseprop/formulas/losses.py": LOSS,
    "src/fuseprop/formulas/updates.py": UPDATE,
    "src/fuseprop/optimizers/__init__.py": 'from .adagrad import Adagrad\n\n__all__ += ["Adagrad"]\n',
    "src/fuseprop/optimizers/adagrad.py": OPTIMIZER,
}
"""By file, what is added at its end."""

DERIVED = [
    "README.md",
    "backends/README.md",
    "backends/fuseprop_cupy/kernels/formulas.cuh",
    "backends/fuseprop_numpy/native/formulas.hpp",
    "tests/core/public_names.txt",
]

TESTS = {
    "tests/core/test_contract.py": {
        "snake": ["replayed_step", "nan"],
        "cauchy": ["loss_of_rows", "replayed_step", "nan"],
        "adagrad": ["test_update", "nan"],
    },
    "tests/core/test_gradients.py": {"snake": ["gradcheck"], "cauchy": ["gradcheck"]},
    "tests/formulas/test_families.py": {"snake": ["family", "pickled"], "cauchy": ["family", "pickled"]},
    "tests/formulas/test_kept_formulas.py": {"snake": ["kept_by_name"], "cauchy": ["kept_by_name"]},
    "tests/formulas/test_formula_values.py": {"snake": ["nan"], "cauchy": ["nan"]},
    "tests/native/test_vector_formulas.py": {
        "snake": ["has_its_struct"],
        "cauchy": ["has_its_struct"],
        "adagrad": ["has_its_struct"],
    },
    "tests/formulas/test_derivatives.py": {"snake": ["derivatives"], "cauchy": ["derivatives"]},
}
"""By file, the tests that each of the new names must have taken part in."""

if find_spec("cupy") is not None:  # the kernels, compiled for the host, beside NumPy
    TESTS["tests/cuda/test_executed.py"] = {"snake": ["activation"]}
    TESTS["tests/cuda/test_every_kernel.py"] = {"float32": ["these_are_all_kernels"]}

USED = """
import numpy as np
from fuseprop import MLPRegressor, Network, load, mlp
from fuseprop.cli import main
from fuseprop.formulas import ACTIVATIONS, LOSSES, UPDATES, cauchy, snake
from fuseprop.optimizers import Adagrad

assert list(ACTIVATIONS)[-1] == "snake" and list(LOSSES)[-1] == "cauchy" and "adagrad" in UPDATES
X = np.random.default_rng(0).normal(size=(60, 3))
y = X @ [1.0, -2.0, 0.5]

network = Network(mlp([3, 8, 1], snake(1)), cauchy, seed=0, device="cpu")
history = network.fit(X, y[:, None], Adagrad(0.1), epochs=40, batch_size=10)
assert history.train_loss[-1] < 0.3 * history.train_loss[0], history.train_loss

model = MLPRegressor(loss="cauchy", hidden_layer_sizes=(8,), activation="snake(0.5)", max_iter=30,
                     random_state=0, learning_rate_init=0.02, tol=0)
model.fit(X, y)
assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0], model.loss_curve_
model.save("kept.safetensors")
again = MLPRegressor.load("kept.safetensors")
assert np.array_equal(again.predict(X), model.predict(X))

words = "train diabetes --activation snake(2) --loss cauchy --epochs 2 --device cpu"
main([*words.split(), "--out", "line.safetensors"], standalone_mode=False)
assert load("line.safetensors").network.layers[0].function == snake(2)
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
    for name, more in BY_HAND.items():
        with (folder / name).open("a") as file:
            file.write(more)
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
    for library in (added / "backends/fuseprop_numpy/native").glob("*.so"):
        library.unlink()  # it is of the formulas before; what is tested of the new ones is built there
    return added


def test_one_command_writes_the_rest(renewed):
    readme = (renewed / "README.md").read_text()
    assert "| `snake(b=2)` | z + sin(b z)^2 / b | z, which is kept |" in readme
    assert "| `cauchy` | log(1 + (y - t)^2) | mean | identity | all | loss |" in readme
    assert "| `adagrad` | s' = s + g * g; w' = w - a * g / (sqrt(s') + epsilon) |" in readme
    kernels = (renewed / DERIVED[2]).read_text()
    assert re.findall(r"struct (Snake|Cauchy|Adagrad) \{", kernels) == [
        "Snake",
        "Cauchy",
        "Adagrad",
    ]
    native = (renewed / DERIVED[3]).read_text()
    found = re.findall(r"struct (Snake\w+|Cauchy\w+|Adagrad\w+) \{", native)
    assert found == ["SnakeValue", "SnakeSlope", "CauchyLoss", "AdagradUpdate"]
    names = (renewed / DERIVED[4]).read_text()
    assert "fuseprop.optimizers.Adagrad(learning_rate=0.1, epsilon=1e-06" in names
    assert "fuseprop.Dense(activation=): " in names
    assert "snake" in names.partition("fuseprop.Dense(activation=): ")[2].partition("\n")[0]
    assert "cauchy" in names.partition("fuseprop.Network(loss=): ")[2].partition("\n")[0]


def test_they_can_be_used_everywhere_at_once(renewed):
    status, said = run(renewed, "-c", USED)
    assert status == 0, said


def test_every_test_over_formulas_meets_them(renewed):
    names = " or ".join(("snake", "cauchy", "adagrad"))
    report = renewed / "report.xml"
    status, said = run(
        renewed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--backends=numpy", f"--junitxml={report}",
        "-k", f"({names} or all_kernels_there_are) and (gradcheck or not float64)", *TESTS,
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
