"""ONNX files that are damaged, hostile or not whole: one error, no file elsewhere opened, nothing guessed."""

import json
import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from fuseprop import Network, NotConvertible, from_onnx, mlp, to_onnx
from fuseprop.exchange.onnx import file as onnx_file
from fuseprop.exchange.onnx.file import DIGEST, KEY

W = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def ours(tmp_path):
    """A file that fuseprop wrote."""
    path = tmp_path / "ours.onnx"
    to_onnx(Network(mlp([4, 5, 3], "gelu"), "softmax_cross_entropy", device="cpu", seed=0), path)
    return path


def of_others(path, **changes):
    """A file with one dense layer whose weights `changes` alter, as fields of the TensorProto."""
    tensor = numpy_helper.from_array(W, "w")
    for name, value in changes.items():
        tensor.ClearField(name)
        if isinstance(value, list):
            getattr(tensor, name).extend(value)
        else:
            setattr(tensor, name, value)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "m")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [tensor],
    )
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    )
    return path


def refused(path, words=None):
    with pytest.raises(NotConvertible, match=words) as caught:
        from_onnx(path, device="cpu")
    assert path.name in str(caught.value)
    assert str(caught.value).isprintable()


def test_what_is_no_file(tmp_path):
    refused(tmp_path / "no.onnx", "there is no such file")
    (tmp_path / "folder.onnx").mkdir()
    refused(tmp_path / "folder.onnx", "is a directory")
    with pytest.raises(TypeError, match="a path such as"):
        from_onnx(3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    refused(tmp_path / "pipe.onnx", "a pipe or a device")


@pytest.mark.parametrize(
    "content", [b"", b"no protobuf at all", b"\x80\x04K\x01.", b"\0" * 100, b"{}", b"PK\3\4"]
)
def test_what_is_no_onnx(tmp_path, content):
    path = tmp_path / "odd.onnx"
    path.write_bytes(content)
    refused(path, "ONNX")


def test_every_byte_of_ours_is_checked(ours):
    whole = ours.read_bytes()
    rng = np.random.default_rng(0)
    for at in [0, 1, len(whole) - 1, len(whole) // 2, *rng.integers(0, len(whole), 60).tolist()]:
        ours.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        refused(ours)
    for length in (10, len(whole) // 2, len(whole) - 1):
        ours.write_bytes(whole[:length])
        refused(ours)
    ours.write_bytes(whole)
    assert isinstance(from_onnx(ours, device="cpu"), Network)


def test_ours_may_be_written_again_by_onnx_itself(ours):
    before = ours.read_bytes()
    onnx.save(onnx.load(ours), ours)
    assert ours.read_bytes() == before


def test_a_graph_that_another_program_has_changed_is_not_taken_for_ours(ours):
    model = onnx.load(ours)
    model.graph.node[1].op_type = "Relu"
    onnx.save(model, ours)
    refused(ours, "has been changed or damaged since: .* Convert the model again; or take 'fuseprop'")


def signed(path, change):
    """Write a file of ours with other metadata, and a digest that fits."""
    model = onnx.load(path)
    texts = {entry.key: entry.value for entry in model.metadata_props if entry.key != DIGEST}
    kept = json.loads(texts[KEY])
    change(kept)
    helper.set_model_props(model, {**texts, KEY: json.dumps(kept)})
    onnx_file.write(path, model)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda kept: kept.update(format=2), "a newer fuseprop is needed"),
        (lambda kept: kept.update(format="1"), "a newer fuseprop is needed"),
        (lambda kept: kept.update(kind="os.system"), "holds 'os.system': expected Network, Model"),
        (lambda kept: kept.update(about=[]), "holds no network that fuseprop has"),
        (lambda kept: kept["about"].update(activations=["relu"]), "holds no network that fuseprop has"),
        (lambda kept: kept["about"].update(loss="nonsense"), "is not known"),
        (lambda kept: kept.update(weights=[["nowhere", "layers.0.bias"]]), "lacks the weights 'nowhere'"),
        (lambda kept: kept.update(weights=[["layers.0.bias", "layers.0.bias"]] * 2), "holds no network"),
        (lambda kept: kept.update(kind="Model"), "holds no network"),
    ],
)
def test_metadata_that_no_version_writes(ours, change, words):
    signed(ours, change)
    refused(ours, words)


def test_a_file_that_is_too_large(ours, monkeypatch):
    monkeypatch.setattr(onnx_file, "LARGEST", 1000)
    refused(ours, "bytes, and an ONNX file 1,000 at most")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dims": [4, 2]}, "the shape \\(4, 2\\), but 48 bytes"),
        ({"dims": [2**40, 2**40]}, "but 48 bytes"),
        ({"dims": [-4, -3]}, "has the shape \\(-4, -3\\)"),
        ({"dims": [1] * 9}, "has the shape"),
        ({"dims": [12]}, "expected weights"),
        ({"data_type": 99}, "of the type \\?"),
        ({"data_type": 8}, "of the type STRING"),
        ({"raw_data": b"abc"}, "but 3 bytes"),
        ({"raw_data": b""}, "but 0 bytes"),
    ],
)
def test_weights_whose_sizes_do_not_fit(tmp_path, changes, words):
    refused(of_others(tmp_path / "w.onnx", **changes), words)


def beside(path, **about):
    """A file whose weights stand in another one, as these entries say."""
    of_others(path)
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in about.items():
        tensor.external_data.add(key=key, value=str(value))
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_in_a_file_beside(tmp_path, monkeypatch):
    path = of_others(tmp_path / "w.onnx")
    model = onnx.load(path)
    external_data_helper.convert_model_to_external_data(model, location="w.data", size_threshold=0)
    onnx.save(model, path)
    assert (tmp_path / "w.data").exists()
    assert from_onnx(path, device="cpu").weights()[0][0].tobytes() == W.tobytes()
    (tmp_path / "w.data").write_bytes(b"12345678" + W.tobytes())
    beside(path, location="w.data", offset=8, length=48)
    assert from_onnx(path, device="cpu").weights()[0][0].tobytes() == W.tobytes()
    monkeypatch.chdir(tmp_path.parent)  # it is looked for beside the file, wherever one stands
    assert from_onnx(path, device="cpu").weights()[0][0].tobytes() == W.tobytes()


@pytest.mark.parametrize(
    "location",
    ["../secret", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "c:d", "a\0b", "a\nb", "sub/../secret"],
)
def test_no_file_elsewhere_is_opened(tmp_path, location, monkeypatch):
    folder = tmp_path / "sub"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(W.tobytes())
    monkeypatch.chdir(tmp_path)
    refused(beside(folder / "w.onnx", location=location), "not the plain name of a file beside it")


def test_no_link_to_a_file_elsewhere_is_followed(tmp_path):
    folder = tmp_path / "sub"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(W.tobytes())
    (folder / "w.data").symlink_to(tmp_path / "secret")
    refused(beside(folder / "w.onnx", location="w.data"), "no such file lies beside it")


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"location": "missing.data"}, "no such file lies beside it"),
        ({"location": "w.data", "offset": 8}, "takes 48 bytes from byte 8"),
        ({"location": "w.data", "length": 4}, "takes 48 bytes"),
        ({"location": "w.data", "offset": "-1"}, "no valid place"),
        ({"location": "w.data", "offset": "1e3"}, "no valid place"),
        ({"location": "w.data", "offset": "9" * 30}, "no valid place"),
        ({"location": "w.data", "offset": 2**62}, "takes 48 bytes"),
    ],
)
def test_weights_beside_that_are_not_whole(tmp_path, about, words):
    (tmp_path / "w.data").write_bytes(W.tobytes())
    refused(beside(tmp_path / "w.onnx", **about), words)


def test_names_that_are_there_twice(tmp_path):
    path = of_others(tmp_path / "w.onnx")
    model = onnx.load(path)
    model.graph.initializer.append(model.graph.initializer[0])
    path.write_bytes(model.SerializeToString())
    refused(path, "two initializers have one name")


def test_a_graph_of_many_nodes_and_one_long_formula_is_refused_in_little_time(tmp_path):
    """Each node doubles the formula before it, which would have 2^3000 parts when written out."""
    path = of_others(tmp_path / "w.onnx")
    model = onnx.load(path)
    del model.graph.node[:]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["v0"]), helper.make_node("Tanh", ["v0"], ["v1"])]
    nodes += [helper.make_node("Add", [f"v{i}", f"v{i}"], [f"v{i + 1}"]) for i in range(1, 3000)]
    model.graph.node.extend([*nodes, helper.make_node("Identity", ["v3000"], ["y"])])
    path.write_bytes(model.SerializeToString())
    refused(path, "operations")


def test_names_in_a_file_reach_messages_escaped(tmp_path):
    path = of_others(tmp_path / "w.onnx")
    model = onnx.load(path)
    model.graph.node[0].op_type, model.graph.node[0].name = "Con\x1b[2J", "\x1b[2J\n" * 50
    path.write_bytes(model.SerializeToString())
    refused(path, "expected an operator")
