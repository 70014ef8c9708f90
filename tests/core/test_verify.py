"""`verify`: what holds passes, and each mistake fails and is named by the tensor that first shows it."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend

from fuseprop import BackendUnavailable, Certificate, Dense, Network, mlp, verify
from fuseprop.formulas import LOSSES
from fuseprop.formulas.activation import as_activation, trainable_activations
from fuseprop.verification import CertificateError, NothingToCompare, OptionError, verifying
from fuseprop.verification.cases import OPTIMIZERS, default_cases
from fuseprop.verification.page import page_of

PLAIN = Path(__file__).parents[1] / "third_party_backend"
FEW = {"network": "5-7-3", "optimizer": "momentum", "steps": 6, "batch_size": 8, "free_steps": 3}


def found(backend, **options):
    """What is first beyond the bound: how it was computed, by which call, which tensor, in which step."""
    first = verify(backend, **{**FEW, **options}).first_beyond
    return first and (first["how"], first["operation"], first["tensor"], first["step"])


class OnePercent(NumpyBackend):
    def matmul(self, a, b, *, out):
        super().matmul(a, b, out=out)
        if b.shape == (7, 3):
            out *= 1.01


class NoBias(NumpyBackend):
    def bias_activation(self, z, bias, activation, *, out, kept=None):
        super().bias_activation(z, None, activation, out=out, kept=kept)


class SteeperTanh(NumpyBackend):
    def activation_backward(self, gradient, point, activation, *, out, bias_gradient):
        super().activation_backward(gradient, point, activation, out=out, bias_gradient=bias_gradient)
        if activation.slope_of is not None:
            out *= 1.1


class NextRow(NumpyBackend):
    def take_rows(self, source, order, cursor, *, out):
        super().take_rows(source, np.roll(order, 1) if out.ndim == 2 else order, cursor, out=out)


class NoMomentum(NumpyBackend):
    def update(self, values, gradients, moments, settings, formula, *, decay_ranges):
        moments[...] = 0
        super().update(values, gradients, moments, settings, formula, decay_ranges=decay_ranges)


class NoBiasGradient(NumpyBackend):
    def activation_backward(self, gradient, point, activation, *, out, bias_gradient):
        super().activation_backward(gradient, point, activation, out=out, bias_gradient=bias_gradient)
        bias_gradient *= 0.5


class WrongLoss(NumpyBackend):
    def softmax_cross_entropy(self, logits, labels, row_weights, *, losses, gradient):
        super().softmax_cross_entropy(logits, labels, row_weights, losses=losses, gradient=gradient)
        losses += 0.01


class NeverHits(NumpyBackend):
    def argmax_equals(self, scores, labels, *, out):
        out[...] = 0


class HalfSent(NumpyBackend):
    def from_host(self, array, *, out=None, dtype=None):
        sent = super().from_host(array, out=out, dtype=dtype)
        if sent.ndim == 2 and sent.shape[1] == 5:
            sent *= 0.5
        return sent


class Links(NumpyBackend):
    def softmax(self, logits, *, out):
        super().softmax(logits, out=out)
        out[...] = out[:, ::-1]


class Replaying(NumpyBackend):
    """A backend whose calls are right and whose replay is not."""

    def __init__(self, dtype="float32", device="cpu"):
        super().__init__(dtype, device, "eager")

    def compile(self, program):
        replay = super().compile(program)
        return lambda times: self.replayed(program, replay, times)


class Stale(Replaying):
    """Each replay learns from the rows of the first one."""

    def replayed(self, program, replay, times):
        cursor = next(call.operands[2] for call in program.calls if call.operation == "take_rows")
        for _ in range(times):
            before = cursor.copy()
            cursor[...] = 0
            replay(1)
            cursor[...] = before + cursor


class OldRate(Replaying):
    """Settings are those of the time at which the step was compiled."""

    def compile(self, program):
        settings = next(call.operands[3] for call in program.calls if call.operation == "update")
        self.at_first = settings.copy()
        return super().compile(program)

    def replayed(self, program, replay, times):
        settings = next(call.operands[3] for call in program.calls if call.operation == "update")
        now = settings.copy()
        settings[...] = self.at_first
        replay(times)
        settings[...] = now


class OneTooFew(Replaying):
    """Of many steps in a call, one is left out; one step in a call is right."""

    def replayed(self, program, replay, times):
        replay(max(1, times - 1))


class OtherBits(Replaying):
    """Many steps in a call leave other bits, far within the bound."""

    def replayed(self, program, replay, times):
        replay(times)
        if times > 1:
            values = next(call.operands[0] for call in program.calls if call.operation == "update")
            values[0] = np.nextafter(values[0], np.inf, dtype=values.dtype)


class ForgetsOutputs(Replaying):
    """The second layer's weights are not learned."""

    def replayed(self, program, replay, times):
        values = next(call.operands[0] for call in program.calls if call.operation == "update")
        before = values.copy()
        replay(times)
        values[64:] = before[64:]


MISTAKES = {
    OnePercent: ("calls", "matmul", "layer 2: weighted sum", 1),
    NoBias: ("calls", "bias_activation", "layer 1: output", 2),
    SteeperTanh: ("calls", "activation_backward", "layer 1: delta", 1),
    NextRow: ("calls", "take_rows", "rows", 1),
    NoMomentum: ("calls", "update", "layer 1: moment v of the weights", 2),
    NoBiasGradient: ("calls", "activation_backward", "layer 2: gradient of the biases", 1),
    WrongLoss: ("calls", "softmax_cross_entropy", "losses", 1),
    NeverHits: ("calls", "argmax_equals", "hits", 1),
    HalfSent: ("as sent", "", "all rows", 1),
    Links: ("forward pass", "predict", "predictions", 0),
    Stale: ("replay", "", "losses of the epoch", 2),
    OldRate: ("replay", "", "layer 1: moment v of the weights", 4),
    OneTooFew: ("many steps in a call", "", "losses of the epoch", 3),
    OtherBits: ("many steps in a call", "", "layer 1: weights", 3),
    ForgetsOutputs: ("replay", "", "layer 2: weights", 1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_found_and_named(kind, dtype):
    certificate = verify(kind(dtype), **FEW, activation="tanh")
    first = certificate.first_beyond
    assert (first["how"], first["operation"], first["tensor"], first["step"]) == MISTAKES[kind]
    assert first["tensor"] in certificate.verdict
    at_once = first["how"] == "many steps in a call"
    assert ("must be equal bit for bit" in certificate.verdict) == at_once
    assert ("eps apart" in certificate.verdict) != at_once
    assert ("Its calls, one after the other, are within it." in str(certificate)) == (
        first["how"] == "replay"
    )


@pytest.mark.parametrize("replay", ["compiled", "calls"])
def test_what_is_right_passes(replay):
    certificate = verify("cpu", replay=replay, **FEW)
    assert certificate.passed
    assert certificate.content["verified"]["replay"] == replay
    assert certificate.furthest["eps"] < 20
    for network in certificate.networks:
        steps = {len(each["eps_by_step"]) for each in network["tensors"] if each["how"] == "replay"}
        assert steps == {6}


def test_the_default_networks_have_every_formula():
    cases = list(default_cases(16, 12))
    assert {layer.function.name for case in cases for layer in case.layers[:-1]} == set(
        trainable_activations()
    )
    assert {case.loss.name for case in cases} == {family().name for family in LOSSES.values()}
    assert {case.optimizer for case in cases} == set(OPTIMIZERS)
    for has in (
        lambda case: case.is_weighted,
        lambda case: case.clip_norm,
        lambda case: case.weight_decay,
        lambda case: any(layer.dropout for layer in case.layers),
    ):
        assert 3 <= sum(map(bool, map(has, cases))) < len(cases)


def test_the_default_networks_pass(backend):
    """On every backend that can be used here, a GPU too."""
    options = {"replay": "calls"} if backend.name == "numpy" else {}
    device = backend.device if options else backend
    certificate = verify(device, dtype=backend.dtype.name, **options, steps=4, free_steps=4)
    assert certificate.passed, certificate.verdict
    assert len(certificate.networks) == len(list(default_cases(16, 4)))


class ForgetsToClip(NumpyBackend):
    def clip_norm(self, gradients, limit, *, norm):
        super().clip_norm(gradients, np.inf, norm=norm)


class DecaysBiases(NumpyBackend):
    def update(self, values, gradients, moments, settings, formula, *, decay_ranges):
        ranges = [(start, stop + 1) for start, stop in decay_ranges]
        super().update(values, gradients, moments, settings, formula, decay_ranges=ranges)


class OtherMasks(NumpyBackend):
    def dropout(self, values, rate, seed, step, *, out):
        super().dropout(values, rate, seed + 1, step, out=out)


@pytest.mark.parametrize(
    ("kind", "tensor"),
    [
        (ForgetsToClip, "gradient of the weights, clipped"),
        (DecaysBiases, "moment v of the biases"),
        (OtherMasks, "output, after dropout"),
    ],
)
def test_the_default_networks_find_mistakes(kind, tensor):
    first = verify(kind("float64"), steps=4, free_steps=1).first_beyond
    assert first["tensor"].endswith(tensor)


class Wrong(NumpyBackend):
    """Each of these is wrong by 1%, or says that all rows are hits, in every network that uses it."""


class WrongDropout(Wrong):
    def dropout(self, values, rate, seed, step, *, out):
        super().dropout(values, rate, seed, step, out=out)
        out *= 1.01


class WrongLosses(Wrong):
    def loss_of_rows(self, output, target, row_weights, loss, factor, *, losses, gradient):
        super().loss_of_rows(output, target, row_weights, loss, factor, losses=losses, gradient=gradient)
        losses *= 1.01


class WrongSlopes(Wrong):
    def loss_of_rows(self, output, target, row_weights, loss, factor, *, losses, gradient):
        super().loss_of_rows(output, target, row_weights, loss, factor, losses=losses, gradient=gradient)
        gradient *= 1.01


class AlwaysHits(Wrong):
    def threshold_equals(self, scores, targets, score_threshold, target_threshold, *, out):
        out[...] = 1


class WrongSquares(Wrong):
    def sum_squares(self, array, *, out):
        super().sum_squares(array, out=out)
        out *= 1.01


class WrongClip(Wrong):
    def clip_norm(self, gradients, limit, *, norm):
        super().clip_norm(gradients, limit * 1.01, norm=norm)


class WrongGelu(Wrong):
    def bias_activation(self, z, bias, activation, *, out, kept=None):
        super().bias_activation(z, bias, activation, out=out, kept=kept)
        if activation == as_activation("gelu").formula:
            out *= 1.01


def _is_by_rows(case):
    return not case.loss.takes_labels


@pytest.mark.parametrize(
    ("kind", "uses", "operation", "tensor"),
    [
        (WrongDropout, lambda case: any(layer.dropout for layer in case.layers), "dropout", "after dropout"),
        (WrongLosses, _is_by_rows, "loss_of_rows", "losses"),
        (WrongSlopes, _is_by_rows, "loss_of_rows", "gradient of the output"),
        (
            AlwaysHits,
            lambda case: case.loss.name == "sigmoid_cross_entropy",
            "threshold_equals",
            "hits",
        ),
        (WrongSquares, lambda case: True, "sum_squares", "sum of the squares of all weights"),
        (WrongClip, lambda case: case.clip_norm, "clip_norm", "gradient of the weights, clipped"),
        (WrongGelu, lambda case: case.layers[0].function.name == "gelu", "bias_activation", "output"),
    ],
)
def test_each_mistake_in_one_operation(monkeypatch, kind, uses, operation, tensor):
    """In every default network that uses it, of which the first two are taken."""
    cases = [case for case in default_cases(16, 12) if uses(case)][:2]
    assert cases
    monkeypatch.setattr(verifying, "default_cases", lambda *_: cases)
    certificate = verify(kind("float64"), free_steps=1)
    for network in certificate.networks:
        first = network["first_beyond"]
        assert first["operation"] == operation
        assert first["tensor"].endswith(tensor)


def test_decisions_within_the_bound_are_no_mistakes():
    """Outputs that are equal but for rounding have two right decisions, and only those."""

    class Tied(NumpyBackend):
        """Takes the last of the largest outputs."""

        def argmax_equals(self, scores, labels, *, out):
            out[...] = scores.shape[1] - 1 - scores[:, ::-1].argmax(axis=1) == labels

    layers = mlp([5, 3], initializer="zeros")  # all outputs are equal at first
    network = Network(layers, "softmax_cross_entropy", seed=0, device="cpu")
    assert found(Tied("float32"), network=network, steps=1) is None
    scored = ("forward pass", "evaluate", "accuracy", 0)  # by weights that are 0 no longer
    assert found(NeverHits("float32"), network=network, steps=1) == scored
    assert found(NeverHits("float32"), network=network, steps=2)[2] == "hits"


def test_a_nan_is_beyond_any_bound():
    class Breaks(NumpyBackend):
        def softmax_cross_entropy(self, logits, labels, row_weights, *, losses, gradient):
            super().softmax_cross_entropy(logits, labels, row_weights, losses=losses, gradient=gradient)
            gradient[0, 1] = np.nan

    certificate = verify(Breaks("float32"), **FEW)
    first = certificate.first_beyond
    assert (first["tensor"], first["index"], first["got"], first["eps"]) == (
        "layer 2: gradient of the output",
        [0, 1],
        "nan",
        "inf",
    )
    assert "ended" in certificate.networks[0]["free_run"]
    assert "failed. First beyond" in str(certificate)


def test_a_certificate_is_kept_and_checked(tmp_path):
    path = tmp_path / "certificate.json"
    made = verify("cpu", **FEW)
    made.save(path)
    again = Certificate.load(path)
    assert again.content == json.loads(path.read_text()) == made.content
    assert str(again) == str(made)
    content = made.content
    assert content["verified"]["provenance"]["engine sources"]
    assert content["environment"]["fuseprop"]
    assert len(content["verified"]["package"]) == len(content["environment"]["fuseprop_sources"]) == 64
    changed = path.read_text().replace('"eps": 0.0', '"eps": 0.5', 1)
    assert changed != path.read_text()
    path.write_text(changed)
    with pytest.raises(CertificateError, match="was changed after it was written"):
        Certificate.load(path)
    for text in ("{", "[]", '{"format": "other"}', "\xff"):
        path.write_text(text)
        with pytest.raises(CertificateError, match="is no certificate"):
            Certificate.load(path)


def test_a_certificate_as_a_page():
    certificate = verify(OnePercent("float32"), **FEW)
    page = page_of(certificate)
    assert "layer 2: weighted sum" in page
    assert certificate.content["digest"] in page
    for told in (
        "<h1>Parity certificate: failed</h1>",
        ">First beyond the bound</h2>",
        ": beyond the bound<",
    ):
        assert told in page
    passed = page_of(verify("cpu", **FEW, dtype="float64"))
    assert "<h1>Parity certificate: passed</h1>" in passed
    assert "beyond the bound" not in passed


def test_the_same_numbers_each_time():
    first, again = (verify("cpu", **FEW).content for _ in range(2))
    assert first["networks"] == again["networks"]
    assert verify("cpu", **FEW, seed=1).content["networks"] != first["networks"]


def test_a_network_of_ones_own():
    network = Network(mlp([4, 6, 1], "gelu"), "huber(1.35)", seed=3, device="cpu", dtype="float64")
    certificate = verify("cpu", network=network, steps=2, free_steps=2)
    assert [each["network"] for each in certificate.networks] == [
        f"4-6-1, gelu, huber(1.35), {rule}" for rule in OPTIMIZERS
    ]
    assert {each["dtype"] for each in certificate.networks} == {"float64"}
    assert certificate.passed


def test_a_reference_that_diverges_certifies_nothing():
    layers = [Dense(2, 1, "exponential", weights=[[90.0], [90.0]])]
    network = Network(layers, "half_squared_error", device="cpu")
    with pytest.raises(ValueError, match="nothing can be said of the other's"):
        verify("cpu", network=network)


def test_what_has_no_slope_is_refused():
    network = Network([Dense(2, 1, "step")], "half_squared_error", device="cpu")
    with pytest.raises(ValueError, match="cannot be trained by gradient descent"):
        verify("cpu", network=network)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"device": "cuda:99"}, BackendUnavailable, "."),
        ({"device": "nothing"}, BackendUnavailable, "neither a device nor"),
        ({"device": "cpu", "replay": "eager"}, NothingToCompare, "nothing to compare"),
        ({"device": "cpu", "replay": "slow"}, ValueError, "replay must be"),
        ({"device": NumpyBackend(), "against": NumpyBackend("float64")}, OptionError, "Give all in one"),
        ({"device": "cpu", "network": [3, 1], "loss": "softmax_cross_entropy"}, OptionError, "2 outputs"),
        ({"device": "cpu", "network": "64"}, ValueError, "64-32-10"),
        ({"device": "cpu", "network": "4-x"}, ValueError, "64-32-10"),
        ({"device": "cpu", "network": [4, 0]}, ValueError, "64-32-10"),
        ({"device": "cpu", "network": "4-2", "optimizer": "sgd"}, ValueError, "momentum"),
        ({"device": "cpu", "network": "4-2", "loss": "hing"}, ValueError, "hinge"),
        ({"device": "cpu", "network": "4-2", "activation": "step"}, ValueError, "slope"),
        ({"device": "cpu", "loss": "hinge"}, ValueError, "of a network of one's own"),
        ({"device": "cpu", "dtype": "float16"}, ValueError, "float32"),
        ({"device": "cpu", "steps": 0}, ValueError, "steps"),
        ({"device": "cpu", "seed": -1}, ValueError, "seed"),
    ],
)
def test_what_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        verify(**options)


def test_no_pytest_is_needed():
    script = """
import sys
sys.modules["pytest"] = None
from fuseprop import verify
print(verify("cpu", network="2-1", steps=1))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert "passed" in done.stdout


def test_a_backend_of_others(monkeypatch):
    """Its arrays tell no addresses, and it says nothing of where it is from."""
    monkeypatch.syspath_prepend(PLAIN)
    certificate = verify(import_module("fuseprop_plain").PlainBackend("float64"), steps=4, free_steps=2)
    assert certificate.passed, certificate.verdict
    told = certificate.content["verified"]
    assert (told["backend"], told["replay"], told["provenance"]) == ("plain", None, {})
    assert len(told["package"]) == 64


@pytest.mark.parametrize("network", ["1-1", "3-2", "4-3-1"])
def test_each_loss_of_any_outputs(network):
    """Those that such a network can have are compared, and the others are refused before anything is."""
    for name, family in LOSSES.items():
        options = {"network": network, "loss": name, "optimizer": "momentum", "dtype": "float64"}
        if family().takes_labels and network.endswith("-1"):
            with pytest.raises(OptionError, match="needs at least 2 outputs"):
                verify("cpu", **options)
        else:
            assert verify("cpu", **options, steps=2, batch_size=4, free_steps=1).passed
