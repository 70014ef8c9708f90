"""fuseprop convert with the files of PyTorch and Keras, which hold a network alone."""

import numpy as np
import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop import Network, from_keras, mlp, save_torch
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
