"""Networks as ONNX files: onnxruntime predicts as they do, and each comes back as it was."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime import inputs_of, run, texts_of, without_metadata

from fuseprop import Activation, Loss, Network, NotConvertible, from_onnx, mlp, to_onnx
from fuseprop.exchange.onnx import file as onnx_file
from fuseprop.formulas import (
    ACTIVATIONS,
    LOSSES,
    cos,
    equal,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    minimum,
    sigmoid,
    sign,
    sin,
    sqrt,
    tiny,
    where,
)
from fuseprop.testing.contract.parity import assert_parity

DTYPES = ("float32", "float64")

EVERY_OPERATION = Activation(
    "every operation",
    lambda z: (
        where(z > 0.3, z * sigmoid(z), 0.5 * sin(z) + cos(z) * sign(z))
        + maximum(minimum(z, 1), -2) * log1p(exp(-abs(z)))
        + expm1(-abs(z)) / sqrt(abs(z) + 1)
        - log(1 + z**2)
        + (z >= 1) * 0.25
        + where(equal(z, 0), 1, tiny())
    ),
)


def network(sizes=(4, 5, 3), activation="tanh", loss="half_squared_error", dtype="float32", **more):
    return Network(mlp(list(sizes), activation, **more), loss, device="cpu", dtype=dtype, seed=3)


def rows(n=40, d=4, dtype="float32", scale=3.0):
    return (scale * np.random.default_rng(n).normal(size=(n, d))).astype(dtype)


def assert_same(made, before):
    assert made.backend.dtype == before.backend.dtype
    assert [layer.function for layer in made.layers] == [layer.function for layer in before.layers]
    assert made.stack.loss == before.stack.loss
    assert made.metric == before.metric
    for mine, theirs in zip(made.weights(), before.weights(), strict=True):
        for one, other in zip(mine, theirs, strict=True):
            assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "activation", [*ACTIVATIONS, "leaky_relu(0.2)", "elu(0.5)", EVERY_OPERATION], ids=str
)
def test_every_activation(tmp_path, activation, dtype):
    made, path = network((4, 6, 5, 3), activation, dtype=dtype), tmp_path / "network.onnx"
    to_onnx(made, path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    scale = 0.3 if activation == "exponential" else 3.0
    for n in (0, 1, 40):
        X = rows(n, dtype=dtype, scale=scale)
        wanted = made.predict(X) if n else np.empty((0, 3))
        assert_parity(run(path, X=X)["prediction"], wanted, dtype)
    assert_same(from_onnx(path, device="cpu"), made)
    by_operators = from_onnx(without_metadata(path), device="cpu")
    assert_parity(by_operators.predict(X), made.predict(X), dtype)
    assert by_operators.weights()[1][0].tobytes() == made.weights()[1][0].tobytes()


def test_activations_that_are_one_operator_are_told_by_it(tmp_path):
    for name in ACTIVATIONS:
        made, path = network(activation=name), tmp_path / "network.onnx"
        to_onnx(made, path)
        again = from_onnx(without_metadata(path), device="cpu").layers[0].function.name
        assert again == name or name == "gelu", again


@pytest.mark.parametrize("z", [1e-30, 1e-7, 1e-3, 0.3, 0.999, 1.0, 1.5, 30.0, 1e30])
@pytest.mark.parametrize("dtype", DTYPES)
def test_expm1_and_log1p_are_exact_near_0(tmp_path, z, dtype):
    """To the last few digits of the result, which is far below the bound of parity near 0."""
    for name, formula, of in (("a", expm1, np.expm1), ("b", log1p, np.log1p)):
        for sign_of in (1, -1) if name == "a" or z < 1 else (1,):
            last, path = Activation(name, formula), tmp_path / "network.onnx"
            made = network((1, 1), output_activation=last, dtype=dtype)
            made.set_weights([([[1.0]], [0.0])])
            to_onnx(made, path)
            x = np.array([[sign_of * z]], dtype)
            with np.errstate(over="ignore"):
                wanted = of(x)
            np.testing.assert_allclose(run(path, X=x)["prediction"], wanted, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("loss", [*LOSSES, "huber(0.5)", "quantile(0.9)"])
def test_every_loss_with_its_link_and_decisions(tmp_path, loss):
    made, path, X = network(loss=loss), tmp_path / "network.onnx", rows()
    to_onnx(made, path)
    outputs = run(path, X=X)
    assert_parity(outputs["prediction"], made.predict(X), "float32")
    assert ("decision" in outputs) == (loss in ("sigmoid_cross_entropy", "softmax_cross_entropy", "hinge"))
    if "decision" in outputs:
        decided = made.classify(X)
        assert outputs["decision"].dtype == decided.dtype == np.int64
        np.testing.assert_array_equal(outputs["decision"], decided)
    assert_same(from_onnx(path, device="cpu"), made)
    assert texts_of(path)["loss"] == loss


def test_a_loss_of_ones_own_with_a_coding_of_its_own(tmp_path):
    mine = Loss("mine", lambda y, t: (y - t) ** 2, coding=(-0.5, 0.25), low=-1, high=1)
    made, path, X = network(loss=mine), tmp_path / "network.onnx", rows()
    to_onnx(made, path)
    np.testing.assert_array_equal(run(path, X=X)["prediction"].shape, (40, 3))
    assert_same(from_onnx(path, device="cpu"), made)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    names=st.lists(st.sampled_from([*ACTIVATIONS]), min_size=4, max_size=4),
    loss=st.sampled_from([*LOSSES]),
    dtype=st.sampled_from(DTYPES),
    n=st.integers(1, 70),
    scale=st.sampled_from([1e-20, 1e-3, 1.0, 30.0]),
    seed=st.integers(0, 2**16),
)
def test_any_network(tmp_path_factory, sizes, names, loss, dtype, n, scale, seed):
    """Without a hidden layer, of one feature, with a softmax of one unit, of tiny and large numbers."""
    hidden = [name if name != "exponential" else "tanh" for name in names[: len(sizes) - 2]]
    made = Network(mlp(sizes, hidden), loss, device="cpu", dtype=dtype, seed=seed)
    path = tmp_path_factory.mktemp("any") / "network.onnx"
    to_onnx(made, path)
    X = (scale * np.random.default_rng(seed).normal(size=(n, sizes[0]))).astype(dtype)
    wanted = made.forward(X)
    if made.stack.loss.link == "exponential" and np.abs(wanted).max() > 5:
        return  # the exponential of a sum within the bound is not within it
    assert_parity(run(path, X=X)["prediction"], made.predict(X), dtype)
    assert_same(from_onnx(path, device="cpu"), made)
    other = from_onnx(without_metadata(path), made.stack.loss, device="cpu")
    assert_parity(other.predict(X), made.predict(X), dtype)


def test_huge_weights_overflow_alike(tmp_path):
    made, path = network((2, 3, 2), "relu"), tmp_path / "network.onnx"
    made.set_weights([(np.full((2, 3), 3e38), np.zeros(3)), (np.ones((3, 2)), np.zeros(2))])
    to_onnx(made, path)
    X = np.array([[1, 1], [0, 0], [-1, -1]], np.float32)
    with pytest.warns(RuntimeWarning, match="too large for float32"):
        wanted = made.predict(X)
    np.testing.assert_array_equal(run(path, X=X)["prediction"], wanted)


def test_dropout_is_left_out(tmp_path):
    made, path, X = network(dropout=0.5), tmp_path / "network.onnx", rows()
    to_onnx(made, path)
    assert_parity(run(path, X=X)["prediction"], made.predict(X), "float32")
    assert {node.op_type for node in onnx.load(path).graph.node} == {"Gemm", "Tanh", "Identity"}


def test_the_file_says_what_it_is_and_is_read_by_older_runtimes(tmp_path):
    path = tmp_path / "network.onnx"
    to_onnx(network(loss="softmax_cross_entropy"), path)
    model = onnx.load(path)
    assert (model.ir_version, [(each.domain, each.version) for each in model.opset_import]) == (8, [("", 17)])
    assert model.producer_name == "fuseprop"
    assert inputs_of(path) == {"X": ("tensor(float)", ["rows", 4])}
    before = path.read_bytes()
    to_onnx(network(loss="softmax_cross_entropy"), path)
    assert path.read_bytes() == before


def test_a_metric_is_kept(tmp_path):
    made = Network(mlp([2, 1]), "half_squared_error", metric="loss", device="cpu")
    to_onnx(made, tmp_path / "n.onnx")
    assert_same(from_onnx(tmp_path / "n.onnx", device="cpu"), made)


def test_only_what_predicts_is_taken(tmp_path):
    with pytest.raises(TypeError, match="to_onnx takes a Network, a Model"):
        to_onnx(object(), tmp_path / "n.onnx")
    with pytest.raises(TypeError, match="a path such as"):
        to_onnx(network(), None)
    with pytest.raises(OSError, match="does not exist"):
        to_onnx(network(), tmp_path / "no" / "n.onnx")
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_finite_are_refused(tmp_path):
    made = network()
    made.stack.parameters.values[0] = np.nan
    with pytest.raises(ValueError, match="nan or inf"):
        to_onnx(made, tmp_path / "n.onnx")
    assert not list(tmp_path.iterdir())


def test_what_is_too_large_for_a_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "LARGEST", onnx_file.OVERHEAD + 100)
    with pytest.raises(NotConvertible, match=r"at most\. Keep it as a \.safetensors file"):
        to_onnx(network((20, 30, 1)), tmp_path / "n.onnx")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_stays_as_it_was_where_writing_fails(tmp_path):
    path = tmp_path / "n.onnx"
    to_onnx(network(), path)
    before, made = path.read_bytes(), network()
    made.stack.parameters.values[0] = np.inf
    with pytest.raises(ValueError, match="nan or inf"):
        to_onnx(made, path)
    assert path.read_bytes() == before


def test_without_the_package_one_error_says_what_to_type(tmp_path):
    script = f"""
import sys
sys.modules["onnx"] = None
from fuseprop import Network, from_onnx, mlp, to_onnx
for call in (lambda: to_onnx(Network(mlp([1, 1]), "hinge", device="cpu"), {str(tmp_path / "n.onnx")!r}),
             lambda: from_onnx({str(tmp_path / "n.onnx")!r})):
    try:
        call()
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == second
    assert "onnx" in first
    assert "pip install" in first


def test_importing_and_the_command_do_not_load_onnx():
    script = "import sys, fuseprop.cli, fuseprop.exchange; print('onnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy", "hinge"])
def test_there_is_no_decision_of_nan(tmp_path, loss):
    made, path = network((4, 5, 3), loss=loss), tmp_path / "n.onnx"
    to_onnx(made, path)
    x = rows()
    decided = run(path, X=x)["decision"]
    np.testing.assert_array_equal(decided, np.asarray(made.classify(x)).reshape(decided.shape))
    x[3, 1] = np.nan
    with pytest.raises(Exception, match="a decision of nan or inf is refused"):
        run(path, X=x)


def test_dropout_comes_back_and_files_that_do_not_know_it_are_read(tmp_path):
    made, path = network((4, 5, 5, 3), dropout=0.3), tmp_path / "n.onnx"
    to_onnx(made, path)
    assert [layer.dropout for layer in from_onnx(path, device="cpu").layers] == [0.3, 0.3, 0.0]
    model = onnx.load(path)
    del model.metadata_props[-1]  # the digest, which is written again
    (kept,) = (entry for entry in model.metadata_props if entry.key == onnx_file.KEY)
    about = json.loads(kept.value)
    del about["about"]["dropout"]
    kept.value = json.dumps(about)
    onnx_file.write(path, model)
    assert [layer.dropout for layer in from_onnx(path, device="cpu").layers] == [0.0, 0.0, 0.0]
