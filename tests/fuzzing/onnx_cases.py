"""ONNX files: bytes, nodes, tensors and metadata changed; with a digest that fits, or does not."""

import json
import random
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
from damages import changed, damaged, dumped
from damages import text as any_text
from onnx import TensorProto, helper

import fuseprop
from fuseprop import Model, Network, NotConvertible, Table, from_onnx, mlp, to_onnx, train
from fuseprop.exchange.onnx import file as onnx_file
from fuseprop.exchange.onnx.file import DIGEST, KEY
from fuseprop.exchange.onnx.nodes import OPERATORS

SUFFIX = ".onnx"
REFUSAL = NotConvertible


def seeds() -> list[bytes]:
    """Whole files: networks of ours, the same as those of others, and a model."""
    made: list[object] = [
        Network(mlp([3, 4, 2], "gelu"), "softmax_cross_entropy", device="cpu", seed=0),
        Network(mlp([2, 3, 3, 1], ["elu(0.5)", "silu"]), "sigmoid_cross_entropy", device="cpu", seed=0),
        Network(mlp([2, 2, 1], "softplus"), "half_squared_error", device="cpu", dtype="float64", seed=0),
    ]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = Table.of({"a": X[:, 0], "b": ["x", "y", "z"] * 10}, X[:, 1])
        made.append(train(table, epochs=1, hidden=[3], members=1, device="cpu", seed=0)[0])
    whole = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.onnx"
        for each in made:
            to_onnx(each, path)
            whole.append(path.read_bytes())
            if isinstance(each, Network):
                whole.append(_of_others(path.read_bytes()))
    return whole


def _of_others(whole: bytes) -> bytes:
    model = onnx.ModelProto.FromString(whole)
    helper.set_model_props(model, {"loss": "unknown"})
    return bytes(model.SerializeToString())


def make(rng: random.Random, whole: bytes) -> bytes:
    """A damaged file."""
    if rng.random() < 0.4:
        return damaged(rng, whole)
    model = onnx.ModelProto.FromString(whole)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    is_ours = KEY in texts
    if is_ours and rng.random() < 0.7:
        kept = json.loads(texts[KEY])
        for _ in range(rng.randint(1, 3)):
            changed(rng, kept)
        texts[KEY] = dumped(rng, kept)
    else:
        for _ in range(rng.randint(1, 3)):
            rng.choice((_bend_a_node, _bend_a_tensor, _bend_a_tensor, _bend_the_rest))(rng, model)
    texts.pop(DIGEST, None)
    if not is_ours or rng.random() < 0.2:
        texts.pop(KEY, None)
    helper.set_model_props(model, {key: encodable(value) for key, value in texts.items()})
    body = bytes(model.SerializeToString())
    return body + onnx_file._signature(body) if KEY in texts and rng.random() < 0.9 else body


def encodable(given: str) -> str:
    """A text that UTF-8 holds: protobuf takes no other."""
    return given.encode("utf-8", "replace").decode()


def text(rng: random.Random) -> str:
    """Any text that a name in a file may be."""
    return encodable(any_text(rng))


def _bend_a_node(rng: random.Random, model: onnx.ModelProto) -> None:
    nodes = model.graph.node
    node = rng.choice(nodes)
    names = [name for each in nodes for name in (*each.input, *each.output)] + ["", text(rng)]
    kind = rng.randrange(7)
    if kind == 0:
        node.op_type = rng.choice([*OPERATORS, "Conv", "If", "Loop", "", text(rng)])
    elif kind == 1 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif kind == 2:
        node.input.append(rng.choice(names))
    elif kind == 3 and node.output:
        node.output[0] = rng.choice(names)
    elif kind == 4:
        name = rng.choice(("alpha", "axis", "transA", "transB", "to", "perm", "value", "axes", text(rng)))
        value = rng.choice((0, 1, -1, 2**40, 1.5, float("nan"), [1, 0], [0.5], "tanh", b"\xff"))
        node.attribute.append(helper.make_attribute(name or "x", value))
    elif kind == 5:
        nodes.insert(rng.randrange(len(nodes)), rng.choice(nodes))
    else:
        nodes.remove(node)
        if not nodes:
            nodes.add(op_type="Identity")


def _bend_a_tensor(rng: random.Random, model: onnx.ModelProto) -> None:
    if not model.graph.initializer:
        return
    tensor = rng.choice(model.graph.initializer)
    kind = rng.randrange(6)
    if kind == 0:
        tensor.dims.append(rng.choice((0, 1, 2, 2**31, 2**62, -1)))
    elif kind == 1 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice((0, 1, 3, 2**31, 2**62, -1))
    elif kind == 2:
        tensor.data_type = rng.choice((0, 1, 2, 6, 7, 8, 9, 10, 11, 16, 23, 99))
    elif kind == 3:
        tensor.raw_data = damaged(rng, tensor.raw_data, 1)
    elif kind == 4:
        tensor.data_location = TensorProto.EXTERNAL
        location = rng.choice(("case.onnx", "../x", "/etc/passwd", "no", "", text(rng)))
        offset = rng.choice(("0", "8", "-1", "x"))
        for key, value in (("location", location), ("offset", offset), ("length", "8")):
            tensor.external_data.add(key=key, value=value)
    else:
        tensor.name = rng.choice((text(rng), model.graph.initializer[0].name))


def _bend_the_rest(rng: random.Random, model: onnx.ModelProto) -> None:
    kind = rng.randrange(4)
    if kind == 0:
        model.opset_import[0].version = rng.choice((0, 1, 7, 9, 11, 13, 2**40, -1))
    elif kind == 1:
        model.graph.output[0].name = text(rng)
    elif kind == 2:
        model.graph.input.append(model.graph.input[0])
        model.graph.input[-1].name = text(rng)
    else:
        model.graph.ClearField(rng.choice(("node", "input", "output", "initializer")))


def check(path: Path, data: bytes, *, is_whole: bool) -> None:
    """Read a file; what comes out predicts."""
    made = from_onnx(path, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(made, Model):
            made.save(path.with_suffix(".safetensors"))
            assert fuseprop.load(path.with_suffix(".safetensors"), device="cpu").task == made.task
        elif isinstance(made, Network):
            assert made.predict(np.ones((2, made.inputs))).shape == (2, made.outputs)
