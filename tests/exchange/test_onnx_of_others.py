"""Networks in ONNX files of others, as PyTorch, Keras and skl2onnx write them."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from runtime import run

from fuseprop import NotConvertible, from_onnx
from fuseprop.testing.contract.parity import assert_parity

RNG = np.random.default_rng(0)


def written(path, nodes, constants, outputs=("y",), opset=18, kind=TensorProto.FLOAT, inputs=("x",)):
    """A file with these nodes, each (operator, inputs, output, attributes), and these constants."""
    made = [
        helper.make_node(operator, given.split(), output.split(), f"n{i}", **attributes)
        for i, (operator, given, output, attributes) in enumerate(nodes)
    ]
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info(name, kind, ["n", 4]) for name in inputs],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


def weights(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


W, B, V, C = weights(4, 5), weights(5), weights(5, 3), weights(3)


def assert_read(path, *, loss="mean_squared_error", activations=None, dtype="float32", X=None):
    X = weights(9, 4, dtype=np.dtype(dtype).type) if X is None else X
    network = from_onnx(path, device="cpu")
    made = run(path, x=X)
    assert_parity(network.predict(X), np.reshape(next(iter(made.values())), (len(X), -1)), dtype)
    assert network.loss == loss
    if activations is not None:
        assert [layer.function.name for layer in network.layers] == activations
    return network


def test_gemm_in_all_its_forms(tmp_path):
    for attributes, w, b in (
        ({}, W, B),
        ({"transB": 1}, W.T.copy(), B),
        ({"alpha": 0.5, "beta": 2.0}, W, B[None]),
        ({"alpha": -1.5, "transB": 1}, W.T.copy(), np.float32([0.25])),
        ({}, W, np.float32(0.25)),
    ):
        nodes = [("Gemm", "x w b", "h", attributes), ("Relu", "h", "r", {}), ("Gemm", "r v", "y", {})]
        path = written(tmp_path / "g.onnx", nodes, {"w": w, "b": b, "v": V})
        network = assert_read(path, activations=["relu", "identity"])
        if not {"alpha", "beta"} & attributes.keys():
            assert network.weights()[0][0].tobytes() == np.ascontiguousarray(W).tobytes()


def test_matmul_and_add_in_any_order(tmp_path):
    nodes = [
        ("MatMul", "x w", "h", {}),
        ("Add", "b h", "z", {}),
        ("Tanh", "z", "t", {}),
        ("MatMul", "t v", "u", {}),
        ("Sub", "u c", "y", {}),
    ]
    network = assert_read(written(tmp_path / "m.onnx", nodes, {"w": W, "b": B, "v": V, "c": C}))
    assert [layer.function.name for layer in network.layers] == ["tanh", "identity"]


def test_a_scaling_of_the_targets_behind_the_last_layer(tmp_path):
    nodes = [
        ("MatMul", "x w", "h", {}),
        ("Mul", "h s", "m", {}),
        ("Add", "m b", "d", {}),
        ("Div", "d s", "y", {}),
    ]
    assert_read(written(tmp_path / "s.onnx", nodes, {"w": W, "s": B, "b": B}), activations=["identity"])


@pytest.mark.parametrize(
    ("operator", "attributes", "name", "opset"),
    [
        ("Relu", {}, "relu", 18),
        ("Sigmoid", {}, "sigmoid", 18),
        ("Tanh", {}, "tanh", 18),
        ("LeakyRelu", {"alpha": 0.2}, "leaky_relu(0.2)", 18),
        ("LeakyRelu", {}, "leaky_relu", 18),
        ("Elu", {"alpha": 0.3}, "elu(0.3)", 18),
        ("Selu", {}, "selu", 18),
        ("Softplus", {}, "softplus", 18),
        ("Softsign", {}, "softsign", 18),
        ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}, "onnx 1", 18),
        ("HardSigmoid", {}, "onnx 1", 18),
        ("HardSwish", {}, "onnx 1", 18),
        ("Mish", {}, "onnx 1", 18),
        ("Gelu", {"approximate": "tanh"}, "gelu", 20),
        ("Exp", {}, "exponential", 18),
        ("Abs", {}, "onnx 1", 18),
    ],
)
def test_activations_that_are_one_operator(tmp_path, operator, attributes, name, opset):
    name = "hard_sigmoid" if attributes.get("beta") else name
    nodes = [("Gemm", "x w b", "h", {}), (operator, "h", "a", attributes), ("Gemm", "a v c", "y", {})]
    path = written(tmp_path / "a.onnx", nodes, {"w": W, "b": B, "v": V, "c": C}, opset=opset)
    assert_read(path, activations=[name, "identity"])


@pytest.mark.parametrize(
    ("nodes", "name"),
    [
        ([("Sigmoid", "h", "s", {}), ("Mul", "h s", "a", {})], "silu"),
        ([("Clip", "h zero six", "a", {})], "onnx 1"),
        ([("Pow", "h two", "p", {}), ("Neg", "p", "q", {}), ("Exp", "q", "a", {})], "onnx 1"),
        ([("Greater", "h zero", "g", {}), ("Where", "g h zero", "a", {})], "onnx 1"),
        ([("Less", "h zero", "g", {}), ("Cast", "g", "a", {"to": 1})], "onnx 1"),
        ([("Max", "h zero six", "a", {})], "onnx 1"),
        ([("Softplus", "h", "s", {}), ("Tanh", "s", "t", {}), ("Mul", "h t", "a", {})], "onnx 1"),
        (
            [
                ("Abs", "h", "s", {}),
                ("Add", "s one", "t", {}),
                ("Reciprocal", "t", "r", {}),
                ("Mul", "r h", "a", {}),
            ],
            "onnx 1",
        ),
    ],
)
def test_activations_that_are_several_operators(tmp_path, nodes, name):
    chain = [("Gemm", "x w b", "h", {}), *nodes, ("Gemm", "a v c", "y", {})]
    numbers = {"zero": np.float32(0), "one": np.float32(1), "two": np.float32(2), "six": np.float32(6)}
    assert_read(
        written(tmp_path / "a.onnx", chain, {"w": W, "b": B, "v": V, "c": C, **numbers}),
        activations=[name, "identity"],
    )


def test_what_leaves_rows_as_they_are(tmp_path):
    nodes = [
        ("Cast", "x", "a", {"to": 1}),
        ("Flatten", "a", "b", {}),
        ("Transpose", "w", "wt", {"perm": [1, 0]}),
        ("Identity", "wt", "wi", {}),
        ("Gemm", "b wi bias", "c", {"transB": 1}),
        ("Dropout", "c", "d mask", {}),
        ("Reshape", "d shape", "e", {}),
        ("Relu", "e", "f", {}),
        ("MatMul", "f v", "g", {}),
        ("Constant", "", "k", {"value_floats": [0.5, 1.0, 1.5]}),
        ("Add", "g k", "h", {}),
        ("Identity", "h", "y", {}),
    ]
    constants = {"w": W, "bias": B, "v": V, "shape": np.int64([-1, 5])}
    assert_read(written(tmp_path / "s.onnx", nodes, constants), activations=["relu", "identity"])


@pytest.mark.parametrize(
    ("end", "loss"),
    [
        ([("Softmax", "z", "y", {"axis": 1})], "softmax_cross_entropy"),
        ([("Softmax", "z", "s", {}), ("Identity", "s", "y", {})], "softmax_cross_entropy"),
        ([("Sigmoid", "z", "y", {})], "sigmoid_cross_entropy"),
        ([("Tanh", "z", "y", {})], "mean_squared_error"),
    ],
)
def test_the_end_says_the_link(tmp_path, end, loss):
    nodes = [("Gemm", "x w b", "h", {}), ("Relu", "h", "r", {}), ("Gemm", "r v c", "z", {}), *end]
    last = "tanh" if loss.startswith("mean") else "identity"
    path = written(tmp_path / "e.onnx", nodes, {"w": W, "b": B, "v": V, "c": C})
    assert_read(path, loss=loss, activations=["relu", last])


def test_a_loss_may_be_given(tmp_path):
    nodes = [("Gemm", "x w", "z", {}), ("Exp", "z", "y", {})]
    path = written(tmp_path / "e.onnx", nodes, {"w": W})
    X = weights(5, 4)
    counts = from_onnx(path, "half_poisson_deviance", device="cpu")
    assert counts.layers[0].function.name == "identity"
    assert_parity(counts.predict(X), run(path, x=X)["y"], np.float32)
    assert from_onnx(path, "half_squared_error", device="cpu").layers[0].function.name == "exponential"
    with pytest.raises(NotConvertible, match="sigmoid_cross_entropy"):
        from_onnx(path, "sigmoid_cross_entropy", device="cpu")
    path = written(tmp_path / "s.onnx", [("Gemm", "x w", "z", {}), ("Softmax", "z", "y", {})], {"w": W})
    with pytest.raises(NotConvertible, match="ends with a Softmax"):
        from_onnx(path, "half_squared_error", device="cpu")


def test_one_sigmoid_beside_its_complement_as_skl2onnx_writes_it(tmp_path):
    nodes = [
        ("MatMul", "x w", "h", {}),
        ("Add", "h b", "z", {}),
        ("Sigmoid", "z", "p", {}),
        ("Sub", "one p", "q", {}),
        ("Concat", "q p", "y", {"axis": 1}),
        ("ArgMax", "y", "label", {"axis": 1}),
    ]
    constants = {"w": weights(4, 1), "b": weights(1), "one": np.float32([1])}
    path = written(tmp_path / "s.onnx", nodes, constants, outputs=["y"])
    model = onnx.load(path)
    model.graph.output.insert(0, helper.make_tensor_value_info("label", TensorProto.INT64, None))
    onnx.save(model, path)
    X = weights(9, 4)
    network = from_onnx(path, device="cpu")
    assert_parity(network.predict(X), run(path, x=X)["y"], np.float32)
    assert network.loss == "softmax_cross_entropy"


def test_float64(tmp_path):
    nodes = [("Gemm", "x w b", "h", {}), ("LeakyRelu", "h", "a", {"alpha": 0.2}), ("MatMul", "a v", "y", {})]
    constants = {"w": W.astype(np.float64), "b": B.astype(np.float64), "v": V.astype(np.float64)}
    path = written(tmp_path / "d.onnx", nodes, constants, kind=TensorProto.DOUBLE)
    assert_read(path, dtype="float64")


def test_constants_given_number_by_number(tmp_path):
    path = written(tmp_path / "f.onnx", [("Gemm", "x w b", "y", {})], {"w": W, "b": B})
    model = onnx.load(path)
    del model.graph.initializer[:]
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, W.shape, W.ravel().tolist()))
    model.graph.initializer.append(helper.make_tensor("b", TensorProto.FLOAT, B.shape, B.tolist()))
    onnx.save(model, path)
    assert from_onnx(path, device="cpu").weights()[0][0].tobytes() == W.tobytes()


ONE = {
    "w": W,
    "b": B,
    "v": V,
    "c": C,
    "q": weights(5, 5),
    "one": np.float32(1),
    "s": np.float32([2, 3, 4, 5, 6]),
}
DENSE = ("Gemm", "x w b", "h", {})


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        (
            [("Conv", "x w", "y", {})],
            ["node 'n0' (Conv)", "expected an operator of dense layers. Export dense", "Gemm"],
        ),
        ([DENSE, ("Erf", "h", "y", {})], ["node 'n1' (Erf)"]),
        ([DENSE, ("Gelu", "h", "y", {})], ["(Gelu)", 'approximate="tanh"']),
        ([DENSE, ("LogSoftmax", "h", "y", {})], ["(LogSoftmax)"]),
        ([DENSE, ("MatMul", "h q", "g", {}), ("Add", "g h", "y", {})], ["(Add)", "skips a layer"]),
        ([("Mul", "x one", "a", {}), ("Gemm", "a w", "y", {})], ["(Mul)", "a Gemm or MatMul first"]),
        ([DENSE, ("Relu", "h", "r", {}), ("Mul", "r s", "y", {})], ["(Mul)", "one number for all units"]),
        ([DENSE, ("Softmax", "h", "p", {}), ("Relu", "p", "y", {})], ["(Relu)", "Softmax"]),
        ([DENSE, ("Relu", "h", "r", {}), ("Softmax", "r", "y", {})], ["(Softmax)", "without an activation"]),
        ([DENSE, ("Softmax", "h", "y", {"axis": 0})], ["(Softmax)", "axis=1"]),
        ([("Gemm", "x w", "y", {"transA": 1})], ["(Gemm)", "transA=0"]),
        ([("Gemm", "w x", "y", {})], ["(Gemm)", "a constant as the weights"]),
        ([DENSE, ("MatMul", "h h", "y", {})], ["(MatMul)", "constant"]),
        ([DENSE, ("MatMul", "h w", "y", {})], ["(MatMul)", "weights of 5 inputs"]),
        ([("Gemm", "x w v", "y", {})], ["(Gemm)", "5 numbers of float32"]),
        ([("Identity", "x", "y", {})], ["no dense layer"]),
        ([("Identity", "w", "y", {})], ["0 inputs"]),
        ([DENSE, ("Cast", "h", "y", {"to": 7})], ["(Cast)", "float32 or float64"]),
        ([DENSE, ("Flatten", "h", "y", {"axis": 0})], ["(Flatten)", "axis=1"]),
        ([DENSE, ("Reshape", "h shape", "y", {})], ["(Reshape)", "[-1, 1]"]),
        ([DENSE, ("Pow", "h s", "y", {})], ["(Pow)", "power"]),
        ([DENSE, ("Where", "h h h", "y", {})], ["(Where)", "comparison"]),
        ([DENSE, ("Relu", "nowhere", "y", {})], ["0 inputs"]),
        ([("Relu", "h", "y", {}), DENSE], ["before it is used"]),
        ([DENSE, ("Sub", "h h", "y", {})], ["onnx 1", "same"]),
        ([DENSE, ("Dropout", "h one yes", "y", {})], ["(Dropout)", "training_mode"]),
        ([DENSE, ("Clip", "h s", "y", {})], ["(Clip)", "limit"]),
        ([DENSE, ("Concat", "h h", "y", {"axis": 1})], ["(Concat)", "1 - p"]),
        ([DENSE, ("Selu", "h", "y", {"alpha": 2.0})], ["(Selu)", "alpha"]),
        ([DENSE, ("LeakyRelu", "h", "y", {"alpha": 1.5})], ["(LeakyRelu)", "below 1"]),
    ],
)
def test_what_no_dense_network_has_is_refused_by_its_name(tmp_path, nodes, words):
    more = {"shape": np.int64([-1, 1]), "yes": np.bool_(True)}
    path = written(tmp_path / "bad net.onnx", nodes, {**ONE, **more}, opset=20)
    with pytest.raises(NotConvertible) as caught:
        from_onnx(path, device="cpu")
    text = str(caught.value)
    assert str(path) in text
    assert all(word in text for word in words), text
    assert text.endswith((".", ")"))


def test_an_operator_of_another_domain_is_refused(tmp_path):
    path = written(tmp_path / "m.onnx", [DENSE, ("Gelu", "h", "y", {})], {"w": W, "b": B})
    model = onnx.load(path)
    model.graph.node[1].domain = "com.microsoft"
    onnx.save(model, path)
    with pytest.raises(NotConvertible, match=r"com\.microsoft\.Gelu"):
        from_onnx(path, device="cpu")


def test_several_inputs_and_outputs_are_refused(tmp_path):
    nodes = [("Gemm", "x w b", "y", {}), ("Gemm", "z w b", "u", {}), ("Add", "y u", "t", {})]
    path = written(tmp_path / "m.onnx", nodes, {"w": W, "b": B}, inputs=["x", "z"], outputs=["t"])
    with pytest.raises(NotConvertible, match=r"2 inputs on which its output depends, x, z"):
        from_onnx(path, device="cpu")
    path = written(tmp_path / "m.onnx", nodes[:2], {"w": W, "b": B}, inputs=["x", "z"], outputs=["y", "u"])
    with pytest.raises(NotConvertible, match=r"outputs y, u, 2 of them of floats: expected one"):
        from_onnx(path, device="cpu")


def test_weights_of_other_types_are_refused(tmp_path):
    for w, words in (
        (W.astype(np.float16), "FLOAT16"),
        (W.astype(np.int64), "weights .* of floats"),
        (W[None], "got float32"),
        (np.where(W > 1, np.nan, W).astype(np.float32), "nan"),
        (np.zeros((4, 0), np.float32), "got float32"),
    ):
        path = written(tmp_path / "w.onnx", [("MatMul", "x w", "y", {})], {"w": w})
        with pytest.raises(NotConvertible, match=words):
            from_onnx(path, device="cpu")
    nodes = [("MatMul", "x w", "h", {}), ("MatMul", "h v", "y", {})]
    path = written(tmp_path / "w.onnx", nodes, {"w": W, "v": V.astype(np.float64)})
    with pytest.raises(NotConvertible, match="in float32 and in float64"):
        from_onnx(path, device="cpu")


def test_an_old_opset_is_refused(tmp_path):
    path = written(tmp_path / "o.onnx", [("Gemm", "x w b", "y", {})], {"w": W, "b": B}, opset=6)
    with pytest.raises(NotConvertible, match="opset 6: expected 7 or newer"):
        from_onnx(path, device="cpu")


def test_an_unknown_loss_and_device_are_no_faults_of_the_file(tmp_path):
    path = written(tmp_path / "o.onnx", [("Gemm", "x w b", "y", {})], {"w": W, "b": B})
    with pytest.raises(ValueError, match="is not known") as caught:
        from_onnx(path, "nonsense", device="cpu")
    assert not isinstance(caught.value, NotConvertible)
    from fuseprop import BackendUnavailable

    with pytest.raises(BackendUnavailable):
        from_onnx(path, device="nonsense")


def test_names_of_classes_that_are_not_kept_are_said(tmp_path):
    for name, numbers, said in [
        ("texts", ["cat", "dog", "owl"], "cat, dog, owl"),
        ("numbers", [3, 5, 7], "3, 5, 7"),
    ]:
        classes = np.array(numbers, object if name == "texts" else np.int64)
        nodes = [
            ("Gemm", "x w b", "h", {}),
            ("Relu", "h", "r", {}),
            ("Gemm", "r v", "z", {}),
            ("Softmax", "z", "y", {}),
            ("ArgMax", "y", "n", {"axis": 1}),
            ("ArrayFeatureExtractor", "classes n", "label", {"domain": "ai.onnx.ml"}),
        ]
        path = written(tmp_path / f"{name}.onnx", nodes, {"w": W, "b": B, "v": V, "classes": classes})
        with pytest.warns(UserWarning, match=f"names its classes {said}, and a network has numbers"):
            made = from_onnx(path, device="cpu")
        assert made.loss == "softmax_cross_entropy"
    plain = written(tmp_path / "plain.onnx", nodes, {"w": W, "b": B, "v": V, "classes": np.arange(3)})
    assert from_onnx(plain, device="cpu").outputs == 3  # and no warning


def test_the_names_in_a_classifier_of_scikit_learn_are_said(tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx", reason="pip install skl2onnx")
    from sklearn.neural_network import MLPClassifier

    X = RNG.normal(size=(60, 4)).astype(np.float32)
    for y, said in [
        (np.array(["cat", "dog", "owl"])[np.digitize(X[:, 0], [-0.5, 0.5])], "cat, dog, owl"),
        (np.where(X[:, 0] > 0, "yes", "no"), "no, yes"),
    ]:
        made = MLPClassifier(5, max_iter=500, tol=1).fit(X, y)
        model = skl2onnx.to_onnx(made, X, options={"zipmap": False})
        path = tmp_path / "s.onnx"
        path.write_bytes(model.SerializeToString())
        with pytest.warns(UserWarning, match=f"names its classes {said}, and a network"):
            network = from_onnx(path, device="cpu")
        np.testing.assert_allclose(network.predict(X), made.predict_proba(X), atol=1e-5)


def test_a_refusal_gives_its_advice_before_the_list(tmp_path):
    path = written(
        tmp_path / "c.onnx", [("Gemm", "x w b", "h", {}), ("Celu", "h", "y", {})], {"w": W, "b": B}
    )
    with pytest.raises(NotConvertible) as error:
        from_onnx(path, device="cpu")
    assert "expected an operator of dense layers. Export dense layers" in str(error.value)[:200]
    assert "Gemm" in str(error.value)
