"""The topics of ``fuseprop learn``: the facts that they are there to show, the same on every backend."""

import importlib.util
import json
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fuseprop import Network, load_backend, mlp
from fuseprop.callbacks import OnEpochEnd
from fuseprop.cli import main
from fuseprop.learn import TOPICS
from fuseprop.plots import Diagram, Images
from fuseprop.testing import assert_parity

FUNCTIONAL = Path(__file__).parents[1] / "third_party_backend" / "fuseprop_functional.py"
SEEDS = [0, 1, 2]


def table(topic, backend, seed=0):
    """The table as columns by name."""
    result = TOPICS[topic](backend, seed)
    return dict(zip(result.columns, zip(*result.rows, strict=True), strict=True)), result


def numbers(result):
    return [float(cell) for row in result.rows for cell in row if not isinstance(cell, str)]


def words(result):
    return [cell for row in result.rows for cell in row if isinstance(cell, str)]


# What they show


@pytest.mark.parametrize("seed", SEEDS)
def test_logistic_falls_all_the_way_and_its_gradient_is_the_known_one(backend64, seed):
    columns, result = table("logistic", backend64, seed)
    assert columns["loss"][0] == pytest.approx(np.log(2))
    assert (np.diff(columns["loss"]) < 0).all()
    assert columns["accuracy"][-1] > 0.8
    assert float(result.text.split("= ")[1].split(";")[0]) < 1e-15


@pytest.mark.parametrize("seed", SEEDS)
def test_perceptron_converges_but_on_xor(backend64, seed):
    columns, _ = table("perceptron", backend64, seed)
    assert dict(zip(columns["set"], columns["converged"], strict=True)) == {
        "and": "yes",
        "or": "yes",
        "two clouds": "yes",
        "xor": "no",
    }
    assert [m == 0 for m in columns["mistakes in the last"]] == [True, True, True, False]
    assert [line.startswith("x2 = ") for line in columns["line"]] == [True, True, True, False]


def test_xor_needs_hidden_units(backend64):
    columns, _ = table("xor", backend64)
    assert columns["all right from epoch"][0] == "never"
    assert columns["loss"][0] == pytest.approx(np.log(2), rel=1e-3)
    assert all(isinstance(epoch, int) for epoch in columns["all right from epoch"][1:])
    assert max(columns["loss"][1:]) < 0.05


def test_four_or_eight_units_find_a_way_to_xor_sooner_than_two():
    for seed in range(10):
        columns, _ = table("xor", load_backend("cpu", "float64"), seed)
        _, two, four, eight = (np.inf if e == "never" else e for e in columns["all right from epoch"])
        assert max(four, eight) < two


@pytest.mark.parametrize("seed", SEEDS)
def test_sigmoids_gradient_vanishes_relus_does_not_and_large_weights_make_it_explode(backend64, seed):
    columns, _ = table("vanishing", backend64, seed)
    first = {}
    names = ("activation", "weights", "first layer")
    for activation, weights, norm in zip(*(columns[name] for name in names), strict=True):
        first.setdefault(activation if weights in ("Glorot", "He") else "exploding", []).append(norm)
    assert (np.diff(first["sigmoid"]) < 0).all()
    assert first["sigmoid"][-1] < 1e-9 * first["sigmoid"][0]
    assert first["relu"][-1] > 1e-2 * first["relu"][0]
    assert first["tanh"][-1] > 1e-2 * first["tanh"][0]
    assert (np.diff(first["exploding"]) > 0).all()
    assert first["exploding"][-1] > 1e8 * first["exploding"][0]
    assert columns["hidden layers"][:7] == (2, 4, 6, 8, 12, 16, 20)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_error_falls_with_width(backend64, seed):
    columns, _ = table("approximation", backend64, seed)
    error = columns["error of the best"]
    assert (np.diff(error) < 0).all()
    assert error[-1] < 0.02 * error[0]


def test_not_all_starts_end_in_one_minimum(backend64):
    columns, _ = table("minima", backend64)
    assert sum(columns["starts"]) == 30
    assert len(columns["starts"]) > 1
    assert columns["lowest loss"][0] < 0.01
    assert columns["lowest loss"][1] > 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_exclusive_probabilities_sum_to_1_and_labels_do_not(backend64, seed):
    columns, _ = table("classes", backend64, seed)
    sums = {
        kind: [s for k, s in zip(columns["output"], columns["sum"], strict=True) if k == kind]
        for kind in ("softmax", "sigmoid")
    }
    np.testing.assert_allclose(sums["softmax"], 1.0, atol=1e-12)
    assert max(abs(s - 1) for s in sums["sigmoid"]) > 0.1
    assert columns["p1"][0] > 0.9
    assert columns["p1"][1] > 0.9


def test_the_worked_example_digit_by_digit(backend64):
    columns, result = table("example", backend64)
    value = dict(zip((what.partition(" = ")[0] for what in columns["what"]), columns["value"], strict=True))
    assert value["z1"] == pytest.approx(1.151, abs=1e-12)
    assert (int(1e3 * value["O1"]), int(1e4 * value["z2"]), int(1e4 * value["O2"])) == (759, 451, 5112)
    o1, o2 = value["O1"], value["O2"]
    delta2 = (o2 - 1) * o2 * (1 - o2)
    delta1 = delta2 * 0.02 * o1 * (1 - o1)
    assert value["dE/dw4"] == pytest.approx(delta2 * o1, rel=1e-12)
    assert value["dE/dw1"] == pytest.approx(delta1 * 95, rel=1e-12)
    assert value["w4 - 0.3 dE/dw4"] == pytest.approx(0.02 - 0.3 * delta2 * o1, rel=1e-12)
    assert value["b1 - 0.3 dE/db1"] == pytest.approx(0.001 - 0.3 * delta1, rel=1e-12)
    assert "dL/dw1.11 = dL/da2.1 * f'(z2.1) * w2.11 * f'(z1.1) * x1" in result.text


# On every backend alike, and from nothing but training


@pytest.fixture(scope="module")
def functional():
    """A backend that shares no line with the others, uninstalled."""
    spec = importlib.util.spec_from_file_location("fuseprop_functional", FUNCTIONAL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FunctionalBackend


@pytest.mark.parametrize("topic", TOPICS)
def test_all_backends_print_the_same_numbers(topic, backend64, functional):
    expected, result = TOPICS[topic](functional("float64"), 0), TOPICS[topic](backend64, 0)
    assert words(result) == words(expected)
    assert_parity(numbers(result), numbers(expected), backend64.dtype)


@pytest.mark.parametrize("topic", TOPICS)
def test_numbers_come_from_the_backend_alone(topic, functional, monkeypatch):
    """A backend whose products are a little off shows in the numbers of every topic, in few epochs too."""
    for long in ("approximation", "minima", "genetic", "overfitting"):
        monkeypatch.setattr(sys.modules[f"fuseprop.learn.{long}"], "EPOCHS", 10)
    monkeypatch.setattr(sys.modules["fuseprop.learn.genetic"], "GENERATIONS", 3)

    class Off(functional):
        def matmul(self, a, b, *, out):
            out.write(1.01 * (a.read() @ b.read()))

    right, off = (numbers(TOPICS[topic](kind("float64"), 0)) for kind in (functional, Off))
    assert right != off


@pytest.mark.parametrize("topic", TOPICS)
def test_each_ends_with_two_sentences_and_has_a_picture_with_labels(topic):
    _, result = table(topic, load_backend("cpu", "float64"), 5)
    assert result.see.count(". ") == 1
    assert result.see.endswith(".")
    assert (result.film is not None) == TOPICS[topic].moves
    assert result.figure.panels
    for panel in result.figure.panels:
        if not isinstance(panel.ground, Images | Diagram):  # which have no axes
            assert panel.x_label
            assert panel.y_label
        assert panel.curves or panel.ground is not None
        for curve in panel.curves:
            assert len(curve.x) == len(curve.y) > 0


# The command


def run(*arguments):
    return CliRunner().invoke(main, ["learn", *map(str, arguments)])


@pytest.mark.parametrize("topic", ["line", "example"])
def test_the_command_prints_the_table_and_what_to_see(topic):
    result = run(topic, "--device", "cpu", "--seed", 3)
    assert result.exit_code == 0
    made = TOPICS[topic](load_backend("cpu", "float64"), 3)
    assert made.table() in result.stdout
    assert result.stdout.rstrip().endswith(made.see)


def test_json_holds_the_same(backend64):
    made = json.loads(run("vanishing", "--device", backend64.name, "--json").stdout)
    expected = TOPICS["vanishing"](backend64, 0)
    assert (made["topic"], made["backend"], made["seed"]) == ("vanishing", backend64.name, 0)
    assert made["columns"] == list(expected.columns)
    assert [tuple(row) for row in made["rows"]] == expected.rows
    assert made["see"] == expected.see


def test_seeds_matter_and_repeat():
    outputs = [run("logistic", "--device", "cpu", "--seed", seed).stdout for seed in (1, 1, 2)]
    assert outputs[0] == outputs[1] != outputs[2]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["vanishing", "--device", "nowhere"], 3, "neither a device"),
        (["vansihing"], 2, 'Did you mean "vanishing"'),
        (["line", "--seed", -1], 2, "--seed"),
        (["line", "--plot", "x.jpg"], 2, ".png, .svg, .pdf"),
        (["line", "--plot", "nowhere/x.png"], 2, "does not exist"),
    ],
)
def test_wrong_use(arguments, code, message):
    result = run(*arguments)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())


def test_interruption_is_130_and_no_topic_goes_on_without_its_training(monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    def topic(backend, seed):
        network = Network(mlp([1, 1]), "half_squared_error", seed=seed, backend=backend)
        network.fit([[1.0]], [1.0], callbacks=[OnEpochEnd(interrupt)])
        return TOPICS["example"](backend, seed)

    monkeypatch.setitem(TOPICS, "line", replace(TOPICS["line"], run=topic))
    result = run("line", "--device", "cpu")
    assert (result.exit_code, result.stdout) == (130, "")
    assert "interrupted" in result.stderr


def test_other_warnings_of_a_topic_stay_what_they_are(monkeypatch):
    def topic(backend, seed):
        warnings.warn("something else", stacklevel=1)
        return TOPICS["example"](backend, seed)

    monkeypatch.setitem(TOPICS, "line", replace(TOPICS["line"], run=topic))
    with pytest.warns(UserWarning, match="something else"):
        assert run("line", "--device", "cpu").exit_code == 0


def test_learning_without_a_picture_imports_no_matplotlib():
    script = """
import sys
sys.argv = ["fuseprop", "learn", "line", "--device", "cpu"]
from fuseprop.cli import main
main(standalone_mode=False)
assert "matplotlib" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
