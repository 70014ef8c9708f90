"""Somebody else's backends: installed as a package, found by their entry points, held to the contract."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1] / "third_party_backend"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The environment of a process in which the third-party backend is installed."""
    site = tmp_path_factory.mktemp("site")
    # What is installed into `site` is only the package itself: no index, no isolation, no dependencies.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    pip += ["--no-build-isolation", "--no-deps", "--no-compile", "--target", str(site), str(PROJECT)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def run(environment, *arguments, cwd):
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )


CONTRACT = """
import pytest
from fuseprop.testing import BackendContract

@pytest.mark.values
class TestIt(BackendContract):
    pass
"""


@pytest.mark.parametrize("cases", ["landing", pytest.param("all", marks=pytest.mark.long)])
@pytest.mark.parametrize("name", ["plain", "functional"])
def test_the_contract_holds(installed, tmp_path, name, cases):
    """The public plugin runs the contract over backends that this repository does not know.

    In plain Python the whole of it takes four times as long as on NumPy: a landing takes what has each value.
    """
    module = tmp_path / "test_it.py"
    module.write_text(CONTRACT)
    options = ["-q", "-rs", "-p", "fuseprop.testing", f"--backends={name}", "-p", "no:cacheprovider"]
    options += ["-W", "error", "-p", "landing", f"--cases={cases}"]
    environment = {**installed, "PYTHONPATH": os.pathsep.join([installed["PYTHONPATH"], str(PROJECT.parent)])}
    done = run(environment, "-m", "pytest", *options, str(module), cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert " passed" in done.stdout
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert all("do not speak DLPack" in line for line in skipped), skipped


def test_a_network_trains_and_predicts_on_it(installed, tmp_path):
    """A device may be the name of any installed backend; the core never leaves the Array surface."""
    script = """
import numpy as np
from fuseprop import Dense, Network, available_backends, gradcheck, mlp

X, target = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
network = Network(mlp([2, 8, 1], "tanh"), "sigmoid_cross_entropy", device="plain", dtype="float64", seed=0)
assert gradcheck(network, X, target) < 1e-7
network.fit(X, target, epochs=400, batch_size=4, sample_weight=[1, 1, 2, 1])
assert network.classify(X).ravel().tolist() == [0, 1, 1, 0]
assert network.evaluate(X, target)["accuracy"] == 1
layers = [
    Dense(2, 2, "step", weights=[[1, -1], [1, -1]], bias=[-0.5, 1.5]),
    Dense(2, 1, "step", weights=[[1], [1]], bias=[-1.5]),
]
for dtype in ("float32", "float64"):
    steps = Network(layers, "half_squared_error", metric="accuracy", device="plain", dtype=dtype)
    assert steps.classify(X).ravel().tolist() == [0, 1, 1, 0]
    assert steps.evaluate(X, target) == {"loss": 0, "accuracy": 1}
assert {"functional", "plain"} <= {status.name for status in available_backends() if status.available}
"""
    done = run(installed, "-W", "error", "-c", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_its_arrays_are_refused_elsewhere(installed, tmp_path):
    """Arrays of one backend handed to a network on another: a clear error, no conversion behind the back."""
    script = """
import numpy as np
from fuseprop import Network, load_backend, mlp

theirs = load_backend("plain").from_host(np.zeros((3, 2)))
network = Network(mlp([2, 1]), "half_squared_error", device="cpu")
for call in (network.predict, network.forward):
    try:
        call(theirs)
    except TypeError as error:
        assert "to_host" in str(error), error
    else:
        raise AssertionError("accepted")
"""
    done = run(installed, "-W", "error", "-c", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
