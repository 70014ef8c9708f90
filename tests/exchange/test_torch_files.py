"""State dicts of PyTorch in .safetensors files: written and read without PyTorch."""

import json
import pickle
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import fuseprop
from fuseprop import Loss, Network, NotConvertible, from_torch, mlp, save_torch, to_torch
from fuseprop.formulas import ACTIVATIONS

HAS_NO_MODULE = {"exponential", "step"}
CONVERTED = sorted({*ACTIVATIONS, "elu(0.7)", "leaky_relu(0.2)"} - HAS_NO_MODULE)


def network(activation="tanh", loss="softmax_cross_entropy", dtype="float32"):
    layers = mlp([3, 5, 4, 2], activation, dropout=[0.25, 0.0])
    return Network(layers, loss, device="cpu", dtype=dtype, seed=0)


def is_same(first, second):
    pairs = zip(first.weights(), second.weights(), strict=True)
    same = all((a == b).all() and a.dtype == b.dtype for x, y in pairs for a, b in zip(x, y, strict=True))
    return same and first.stack.described() == second.stack.described()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.safetensors"


@pytest.mark.parametrize("activation", CONVERTED)
def test_a_network_comes_back_from_its_file(activation, path):
    for dtype in ("float32", "float64"):
        made = network(activation, dtype=dtype)
        save_torch(made, path)
        assert is_same(made, from_torch(path, device="cpu"))


def test_the_file_is_what_other_readers_expect(path):
    made = network()
    save_torch(made, path)
    tensors = load_file(path)
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "0.weight": (5, 3),
        "0.bias": (5,),
        "3.weight": (4, 5),
        "3.bias": (4,),
        "5.weight": (2, 4),
        "5.bias": (2,),
    }
    np.testing.assert_array_equal(tensors["0.weight"].T, made.weights()[0][0])
    with safe_open(path, "np") as file:
        about = file.metadata()
    assert about["format"] == "pt"
    assert about["modules"] == (
        "nn.Sequential(nn.Linear(in_features=3, out_features=5), nn.Tanh(), nn.Dropout(p=0.25), "
        "nn.Linear(in_features=5, out_features=4), nn.Tanh(), nn.Linear(in_features=4, out_features=2))"
    )


def test_a_loss_of_ones_own_is_kept_and_another_may_be_given(path):
    asymmetric = Loss("asymmetric", lambda y, t: (y - t) ** 2 + 0.1 * (y - t))
    save_torch(network(loss=asymmetric), path)
    assert from_torch(path).stack.loss == asymmetric
    assert from_torch(path, "hinge").loss == "hinge"


@pytest.mark.parametrize("activation", sorted(HAS_NO_MODULE))
def test_an_activation_that_torch_lacks_is_named(activation, path):
    path.write_bytes(b"what was there")
    with pytest.raises(NotConvertible, match=rf"layer 1 has the activation {activation}, which torch\.nn"):
        save_torch(network(activation), path)
    assert path.read_bytes() == b"what was there"


def state(*shapes, start=0, step=2, stem=""):
    """Return a state dict of Linear modules (d, m)."""
    rng = np.random.default_rng(0)
    made = {}
    for i, (d, m) in enumerate(shapes):
        made[f"{stem}{start + step * i}.weight"] = rng.normal(size=(m, d)).astype(np.float32)
        made[f"{stem}{start + step * i}.bias"] = rng.normal(size=m).astype(np.float32)
    return made


@pytest.mark.parametrize("stem", ["", "net.", "fc", "model.layers."])
def test_a_file_of_others_is_read_in_the_order_of_its_numbers(stem, path):
    foreign = state(*[(3, 3)] * 12, stem=stem, step=1)
    save_file(foreign, path)  # in the order of the alphabet: 0, 1, 10, 11, 2, ...
    made = from_torch(path, "half_squared_error", activations="relu")
    for i, (weights, bias) in enumerate(made.weights()):
        np.testing.assert_array_equal(weights.T, foreign[f"{stem}{i}.weight"])
        np.testing.assert_array_equal(bias, foreign[f"{stem}{i}.bias"])
    assert [str(layer.function) for layer in made.layers] == ["relu"] * 11 + ["identity"]
    assert is_same(made, from_torch(foreign, "half_squared_error", activations="relu"))


def test_activations_of_each_layer():
    foreign = state((3, 4), (4, 4), (4, 1))
    for given, said in [
        (["relu", "elu(0.2)"], ["relu", "elu(0.2)", "identity"]),
        (["relu", "tanh", "sigmoid"], ["relu", "tanh", "sigmoid"]),
    ]:
        made = from_torch(foreign, "half_squared_error", activations=given)
        assert [str(layer.function) for layer in made.layers] == said
    with pytest.raises(ValueError, match="activations has 1 entry for 3 layers: give one for all hidden"):
        from_torch(foreign, "half_squared_error", activations=["relu"])


def test_what_a_file_does_not_say_must_be_given(path):
    save_file(state((3, 4), (4, 1)), path)
    with pytest.raises(
        ValueError, match=r'net\.safetensors does not say which activations .* "?activations="relu"'
    ):
        from_torch(path, "half_squared_error")
    with pytest.raises(ValueError, match=r"net\.safetensors does not say which loss"):
        from_torch(path, activations="relu")
    save_torch(network(), path)
    with pytest.raises(ValueError, match="says itself which activations there are"):
        from_torch(path, activations="relu")


def test_a_missing_bias_is_zero_and_said():
    foreign = state((3, 4), (4, 1))
    del foreign["0.bias"]
    with pytest.warns(UserWarning, match=r"layer 0 \(Linear\) has no bias, .* it is 0") as said:
        made = from_torch(foreign, "half_squared_error", activations="relu")
    assert said[0].filename == __file__
    assert not made.weights()[0][1].any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"1.weight": np.ones(4, "f4"), "1.bias": np.ones(4, "f4")}, r"'1\.weight' \(4,\), which no dense"),
        ({"1.num_batches_tracked": np.array(3)}, r"'1\.num_batches_tracked' \(\), which no dense"),
        ({"2.scale": np.ones(1, "f4")}, r"'2\.scale' \(1,\), which no dense"),
        ({"7.bias": np.ones(1, "f4")}, r"'7\.bias' \(1,\), which no dense"),
        ({"0.weight": np.ones((4, 3), "f2")}, r"layer 0 \(Linear\) holds float16\. Expected float32 or"),
        ({"0.weight": np.full((4, 3), np.nan, "f4")}, r"layer 0 \(Linear\) holds nan or inf"),
        ({"0.bias": np.ones(3, "f4")}, r"layer 0 \(Linear\) has weights \(3, 4\) and a bias \(3,\)"),
        ({"2.weight": np.ones((1, 5), "f4")}, r"layer 2 \(Linear\) takes 5 inputs, but layer 0 \(Linear\) "),
        ({"2.bias": np.ones(1, "f8")}, r'holds float32 in .* and float64 in .* Choose one: dtype="float64"'),
        ({"b.weight": np.ones((1, 1), "f4")}, r"'0' and 'b', whose names do not say which comes|'2' and 'b'"),
    ],
)
def test_what_no_network_has_is_named(change, said, path):
    foreign = {**state((3, 4), (4, 1)), **change}
    with pytest.raises(NotConvertible, match=said):
        from_torch(foreign, "half_squared_error", activations="relu")
    if all(array.dtype != np.float16 for array in foreign.values()):
        save_file(foreign, path)
        with pytest.raises(NotConvertible, match=said) as error:
            from_torch(path, "half_squared_error", activations="relu")
        assert str(path) in str(error.value)


def written(modules, path, foreign=None, loss='"hinge"'):
    text = f'{{"modules": {json.dumps(modules)}, "loss": {loss}}}'
    save_file(state((3, 1)) if foreign is None else foreign, path, {"fuseprop.torch": text})
    return path


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ([["Linear", {}], ["Conv1d", {}]], r"layer 1 \(Conv1d\) is none of the modules"),
        ([["Linear", {}], ["LeakyReLU", {"negative_slope": "much"}]], "negative_slope of leaky_relu must be"),
        ([["Linear", {}], ["Dropout", {"p": "much"}]], "drops a share of 'much'"),
        ([["Linear", {}], ["Softplus", {"threshold": "x"}]], "beta=1.0 and threshold='x'"),
        ([["Linear", {}], ["Linear", {}]], r"layer 1 \(Linear\) has no weights in the file"),
        ([["Tanh", {}]], r"layer 0 \(Tanh\) stands before the first dense layer"),
        ([], r"holds '0\.(weight|bias)' .*, which no dense layer has"),
        ([["Linear", {"x": []}]], "is not a whole .safetensors file"),
        ("Linear", "is not a whole .safetensors file"),
    ],
)
def test_a_file_whose_text_is_wrong(modules, said, path):
    with pytest.raises(NotConvertible, match=said):
        from_torch(written(modules, path))


def test_damaged_files(path):
    save_torch(network(), path)
    whole = path.read_bytes()
    for i in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:i])
        with pytest.raises(NotConvertible, match=re.escape(str(path))):
            from_torch(path)
    path.unlink()
    with pytest.raises(NotConvertible, match="there is no such file"):
        from_torch(path)


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "pytorch_model.bin", "net.safetensors"])
def test_pickles_are_refused_and_nothing_runs(name, tmp_path):
    """What PyTorch writes is a zip archive of pickles, and was a pickle."""
    path, ran = tmp_path / name, tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return exec, (f"open({str(ran)!r}, 'w')",)

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps(Trap()))
    for content in [path.read_bytes(), *(pickle.dumps(Trap(), version) for version in range(2, 6))]:
        path.write_bytes(content)
        with pytest.raises(NotConvertible, match=r"is a pickle, .*safetensors\.torch\.save_file\("):
            from_torch(path)
    assert not ran.exists()
    if path.suffix != ".safetensors":
        with pytest.raises(NotConvertible, match="and no pickle"):
            save_torch(network(), path)


def test_files_of_fuseprop_are_told_apart(tmp_path):
    model, _ = fuseprop.train({"x": list(range(30)), "y": [2.0 * i for i in range(30)]}, target="y", epochs=2)
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(
        NotConvertible, match=r"is no state dict, but a model file of fuseprop, which `fuseprop"
    ):
        from_torch(tmp_path / "model.safetensors")
    save_torch(model.network, tmp_path / "net.safetensors")
    with pytest.raises(fuseprop.ModelFileError, match=r"a network for PyTorch: `fuseprop\.from_torch` reads"):
        fuseprop.load(tmp_path / "net.safetensors")


def test_without_pytorch_the_line_to_type_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs torch, which is not installed\. Type: .*\[torch\]"):
        to_torch(network())


def test_neither_pytorch_nor_keras_is_imported_with_fuseprop():
    script = "import sys, fuseprop.exchange; print(*{'torch', 'keras', 'jax', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
