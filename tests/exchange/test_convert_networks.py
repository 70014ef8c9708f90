"""fuseprop convert with the files of PyTorch and Keras, which hold a network alone."""

import numpy as np
import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop import Network, from_keras, from_onnx, from_torch, mlp, save_torch, to_keras
from fuseprop.cli import main

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras' own


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_network_through_all_formats(rows, tmp_path):
    made = Network(mlp([3, 4, 2], "elu(0.5)"), "softmax_cross_entropy", device="cpu", seed=0)
    names = ["a.torch.safetensors", "b.safetensors", "c.keras", "d.onnx"]
    save_torch(made, tmp_path / names[0])
    for source, target in [(0, 1), (1, 2), (0, 3), (1, 0)]:
        done = run("convert", tmp_path / names[source], tmp_path / names[target], "--overwrite")
        assert done.exit_code == 0, done.stderr
    again = from_keras(tmp_path / "c.keras", "softmax_cross_entropy", device="cpu")
    np.testing.assert_array_equal(again.predict(rows), made.predict(rows))
    loaded = fuseprop.load(tmp_path / "b.safetensors", device="cpu").network
    np.testing.assert_array_equal(loaded.predict(rows), made.predict(rows))
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_a_model_that_encodes_its_columns_is_refused(tmp_path):
    model, _ = fuseprop.train({"x": list(range(30)), "y": [2.0 * i for i in range(30)]}, target="y", epochs=2)
    model.save(tmp_path / "model.safetensors")
    for target in ("net.keras", "net.torch.safetensors"):
        done = run("convert", tmp_path / "model.safetensors", tmp_path / target)
        assert done.exit_code == 1
        assert "holds a network alone, and this is a Model that encodes its columns" in done.stderr
        assert not (tmp_path / target).exists()


def test_dropout_goes_through_all_formats_of_networks(tmp_path):
    made = Network(mlp([3, 4, 4, 2], "tanh", dropout=0.25), "huber(0.5)", device="cpu", seed=0)
    names = ["a.torch.safetensors", "b.onnx", "c.torch.safetensors", "d.safetensors"]
    save_torch(made, tmp_path / names[0])
    for source, target in [(0, 1), (1, 2), (2, 3)]:
        done = run("convert", tmp_path / names[source], tmp_path / names[target])
        assert done.exit_code == 0, done.stderr
        assert ("dropout is not kept" in done.stderr) == (target == 3)
    to_keras(made).save(tmp_path / "e.keras")
    for again in (
        from_onnx(tmp_path / names[1], device="cpu"),
        from_torch(tmp_path / names[2], device="cpu"),
        from_keras(tmp_path / "e.keras", "huber(0.5)", device="cpu"),
        from_torch(tmp_path / names[0], device="cpu"),
    ):
        assert [layer.dropout for layer in again.layers] == [0.25, 0.25, 0.0]
