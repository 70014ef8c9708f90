"""fuseprop verify: the certificate as text, as JSON and as a file, and the exit codes."""

import json

import pytest
from click.testing import CliRunner
from fuseprop_numpy import NumpyBackend

import fuseprop
from fuseprop import verify
from fuseprop.backend import registry
from fuseprop.cli import main

FEW = ("--steps", 2, "--batch-size", 4, "--free-steps", 2)
SMALL = ("--device", "cpu", "--network", "4-3-2", "--optimizer", "adam", "--dtype", "float32", *FEW)


def run(*arguments):
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


class Wrong(NumpyBackend):
    def loss_of_rows(self, output, target, row_weights, loss, factor, *, losses, gradient):
        super().loss_of_rows(output, target, row_weights, loss, factor, losses=losses, gradient=gradient)
        gradient *= 1.01


@pytest.fixture
def wrong(monkeypatch):
    """Register a backend that computes wrong."""

    class Entry:
        def load(self):
            return Wrong

    entries = {**registry._installed(), "wrong": Entry()}
    monkeypatch.setattr(registry, "_installed", lambda: entries)


def test_a_certificate_that_passed(tmp_path):
    place = tmp_path / "certificate.json"
    result = run(*SMALL, "--out", place)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("verified   cpu by numpy, compiled: ")
    assert "4-3-2, relu, softmax_cross_entropy, adam  float32  " in result.stdout
    assert "passed: 1 network, " in result.stdout
    assert f"certificate written to {place}" in result.stderr
    checked = run("--check", place)
    assert (checked.exit_code, checked.stdout) == (0, result.stdout)
    assert json.loads(run("--check", place, "--json").stdout) == json.loads(place.read_text())


def test_one_that_failed(tmp_path, wrong):
    place = tmp_path / "certificate.json"
    options = ("--device", "wrong", "--network", "4-3-1", "--dtype", "float32", *FEW)
    result = run(*options, "--out", place)
    assert result.exit_code == 1
    assert (
        "First beyond the bound, in 4-3-1, relu, half_squared_error, momentum (float32): step 1, layer 2: "
        in (result.stdout)
    )
    assert "gradient of the output (by calls, loss_of_rows)" in result.stdout
    checked = run("--check", place)
    assert (checked.exit_code, checked.stdout) == (1, result.stdout)
    place.write_text(place.read_text().replace('"momentum"', '"adam"').replace("MomentumSGD", "Adam"))
    changed = run("--check", place)
    assert changed.exit_code == 1
    assert "was changed after it was written" in changed.stderr


def test_every_option_arrives(tmp_path):
    options = {
        "--against": "numpy",
        "--replay": "calls",
        "--network": "4-3-3",
        "--activation": "leaky_relu(0.2)",
        "--loss": "huber(1.35)",
        "--optimizer": "nesterov",
        "--dtype": "float64",
        "--steps": 3,
        "--batch-size": 5,
        "--free-steps": 4,
        "--seed": 7,
    }
    result = run("--device", "cpu", "--json", *(word for pair in options.items() for word in pair))
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    named = {name.removeprefix("--").replace("-", "_"): value for name, value in options.items()}
    assert found["networks"] == verify("cpu", **named).content["networks"]
    (network,) = found["networks"]
    assert network["network"] == "4-3-3, leaky_relu(0.2), huber(1.35), nesterov"
    assert (network["dtype"], network["steps"], network["batch_size"]) == ("float64", 3, 5)
    assert network["free_run"]["steps"] == 4
    assert found["verified"]["replay"] == "calls"
    assert found["asked"] == {"steps": 3, "batch_size": 5, "free_steps": 4, "seed": 7}


def test_a_model_of_ones_own(tmp_path):
    model = tmp_path / "xor.safetensors"
    fuseprop.train("xor", epochs=3, hidden=[3], device="cpu")[0].save(model)
    page = tmp_path / "certificate.html"
    result = run(model, "--device", "cpu", "--optimizer", "momentum", *FEW, "--out", page)
    assert result.exit_code == 0, result.stderr
    assert "sigmoid_cross_entropy, momentum" in result.stdout
    assert "Parity certificate" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--device", "cuda:99"), 3, "Error: "),
        (("--device", "cpu", "--replay", "eager"), 2, "there is nothing to compare"),
        (("--device", "cpu", "--replay", "foo"), 2, '"compiled", "calls" or "eager", got \'foo\''),
        (("--device", "cpu", "--network", "4"), 2, "64-32-10"),
        (
            ("--device", "cpu", "--network", "4-3-1", "--loss", "softmax_cross_entropy"),
            2,
            "softmax_cross_entropy needs at least 2 outputs",
        ),
        (("--device", "cpu", "--loss", "hinge"), 2, "--loss needs --network"),
        (("--device", "cpu", "--optimizer", "adam"), 2, "--optimizer needs --network"),
        (("--device", "cpu", "--network", "4-2", "--activation", "step"), 2, "slope"),
        (("--device", "cpu", "--network", "4-2", "--activation", "relu,tanh"), 2, "one activation"),
        (("--device", "cpu", "--out", "certificate.txt"), 2, ".json or .html"),
        (("no.safetensors", "--network", "4-2"), 2, "MODEL"),
        (("no.safetensors",), 1, "no.safetensors"),
        (("--check", "no.json"), 1, "no.json"),
        (("--check", "no.json", "--seed", "1"), 2, "--check reads a certificate"),
    ],
)
def test_what_is_refused(arguments, code, said):
    result = run(*arguments)
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stdout == ""


def test_the_dtype_of_a_model(tmp_path):
    model = tmp_path / "xor.safetensors"
    fuseprop.train("xor", epochs=1, hidden=[2], device="cpu")[0].save(model)
    result = run(model, "--device", "cpu", "--dtype", "float64", *FEW)
    assert result.exit_code == 2
    assert "dtype float64 does not go with what is given: network has float32. Leave dtype out." in (
        result.stderr
    )


def test_the_help_tells_exit_codes_and_ways_to_replay():
    text = " ".join(run("--help").stdout.split())
    assert "Exit codes: 0 where" in text
    for code in (1, 2, 3):
        assert f"; {code} " in text
    assert "compiled or calls on cpu; captured, fused or eager on cuda" in text
