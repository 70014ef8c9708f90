"""Keras' Sequential, there and back, by objects and files, and a training that goes on in either."""

import json
import os
import re
import subprocess
import sys
import warnings
import zipfile
from functools import partial

import numpy as np
import pytest
from exchange_tasks import BATCH, EPOCHS, begun, tasks
from test_torch_files import is_same, network

from fuseprop import Adam, MomentumSGD, NotConvertible, from_keras, to_keras
from fuseprop.formulas import ACTIVATIONS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # theirs, of each other
    import jax
    import keras
    from keras import layers as of

# Keras' own calls of NumPy and JAX, such as one that asks for float64 and says that it gets float32.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Explicitly requested dtype float64"),
]

CANNOT_BE_KEPT = {"gelu", "step"}
CONVERTED = sorted({*ACTIVATIONS, "elu(0.7)", "leaky_relu(0.2)", "leaky_relu(0.3)"} - CANNOT_BE_KEPT)
IN_FLOAT32 = {"tanh", "exponential", "softsign"}
"""What Keras computes in float32 anyhow, with JAX."""


@pytest.fixture
def in_float64():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("activation", CONVERTED)
def test_a_model_computes_what_the_network_does_and_comes_back(activation, rows, tmp_path):
    made = network(activation)
    model = to_keras(made)
    there, here = np.asarray(model(rows.astype(np.float32))), made.forward(rows)
    assert there.dtype == here.dtype
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-5 * max(1, abs(here).max()))
    assert is_same(made, from_keras(model, "softmax_cross_entropy"))
    model.save(tmp_path / "net.keras")
    assert is_same(made, from_keras(tmp_path / "net.keras", "softmax_cross_entropy"))


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "elu(0.7)", "silu"])
def test_in_float64(activation, in_float64, rows, tmp_path):
    made = network(activation, dtype="float64")
    model = to_keras(made)
    there = np.asarray(model(rows))
    assert there.dtype == np.float64
    np.testing.assert_allclose(there, made.forward(rows), atol=2e-6 if activation in IN_FLOAT32 else 1e-13)
    model.save(tmp_path / "net.keras")
    for source in (model, tmp_path / "net.keras"):
        assert is_same(made, from_keras(source, "softmax_cross_entropy"))
    jax.config.update("jax_enable_x64", False)
    said = r'holds float32 in the place of float64\. Type jax\.config\.update\("jax_enable_x64", True\)'
    with pytest.raises(NotConvertible, match=said):
        to_keras(made)
    with pytest.raises(NotConvertible, match=said):
        from_keras(tmp_path / "net.keras", "softmax_cross_entropy")


@pytest.mark.parametrize(
    ("loss", "link"),
    [
        ("softmax_cross_entropy", "softmax"),
        ("sigmoid_cross_entropy", "sigmoid"),
        ("half_poisson_deviance", "exponential"),
        ("hinge", "linear"),
    ],
)
def test_predictions_with_the_link(loss, link, rows):
    made = network("relu", loss)
    model = to_keras(made, predictions=True)
    there = np.asarray(model(rows.astype(np.float32)))
    np.testing.assert_allclose(there, made.predict(rows), rtol=1e-5, atol=1e-6)
    assert keras.activations.serialize(model.layers[-1].activation) == link
    assert is_same(made, from_keras(model, loss))


@pytest.mark.parametrize(
    ("activation", "said"),
    [
        ("gelu", "layer 1 has the activation gelu, which is its tanh form"),
        ("step", "layer 1 has the activation step"),
    ],
)
def test_an_activation_that_keras_cannot_keep_is_named(activation, said):
    with pytest.raises(NotConvertible, match=said):
        to_keras(network(activation))


def test_texts_layers_nested_models_and_a_missing_bias(rows, tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((3, 1)),
            of.Flatten(),
            of.Dense(4, "leaky_relu", use_bias=False, kernel_regularizer="l2"),
            keras.Sequential([keras.Input((4,)), of.Identity(), of.Dense(5), of.ReLU(negative_slope=0.25)]),
            of.Dropout(0.0),
            of.Dense(4, "elu"),
            of.Dense(2),
            of.Softmax(),
        ]
    )
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
    model.save(tmp_path / "net.keras")
    for source in (model, tmp_path / "net.keras"):
        with pytest.warns(UserWarning, match=r"layer 1 \(Dense\) has no bias") as said:
            made = from_keras(source)
        assert __file__ in [each.filename for each in said]
        assert [str(layer.function) for layer in made.layers] == [
            *("leaky_relu(0.2)", "leaky_relu(0.25)", "elu", "identity"),
        ]
        assert made.loss == "softmax_cross_entropy"
        there = np.asarray(model(rows.astype(np.float32)[:, :, None]))
        np.testing.assert_allclose(made.predict(rows), there, rtol=1e-5, atol=1e-6)
    last = keras.Sequential([keras.Input((3,)), of.Dense(2), of.Softmax()])
    with pytest.raises(
        NotConvertible, match=r"layer 1 \(Softmax\) is the softmax at the end, and the loss hin"
    ):
        from_keras(last, "hinge")


class Mine(of.Dense):
    """A class of somebody's own."""


REFUSED = {
    "layer 0 (Normalization) is none of the layers that can be converted. Expected Dense": [
        of.Normalization()
    ],
    "layer 1 (BatchNormalization) is none": [of.Dense(3), of.BatchNormalization()],
    "layer 1 (PReLU) is none": [of.Dense(3), of.PReLU()],
    "Mine) is none": [Mine(3)],
    "layer 2 (ReLU) has max_value=6.0": [of.Dense(3), of.Identity(), of.ReLU(6.0)],
    "layer 0 (Dense) has the exact gelu": [of.Dense(3, "gelu")],
    "layer 0 (Dense) has the activation 'mish'. Expected linear": [of.Dense(3, "mish")],
    "layer 0 (Dense) computes in float16 and holds float32": [of.Dense(3, dtype="mixed_float16")],
    "layer 0 (Dense) holds bfloat16": [of.Dense(3, dtype="bfloat16")],
    "layer 1 (LeakyReLU): negative_slope of leaky_relu must be": [of.Dense(3), of.LeakyReLU(2.0)],
    "layer 1 (Dropout) has noise_shape": [of.Dense(3), of.Dropout(0.5, noise_shape=(1, 3))],
    "layer 0 (Dropout) stands before": [of.Dropout(0.5), of.Dense(3)],
    "the tanh of layer 1 (Activation) follows another activation, the relu of layer 0 (Dense)": [
        *(of.Dense(3, "relu"), of.Activation("tanh")),
    ],
    "layer 1 (Dense) follows the softmax of layer 0 (Dense)": [of.Dense(3, "softmax"), of.Dense(3)],
}


@pytest.mark.parametrize("said", REFUSED)
@pytest.mark.filterwarnings("ignore")
def test_what_no_network_has_is_named_by_position_and_class(said, tmp_path):
    model, path = keras.Sequential([keras.Input((3,)), *REFUSED[said]]), tmp_path / "net.keras"
    for source in (model, path):
        with pytest.raises(NotConvertible) as error:
            from_keras(source, "half_squared_error")
        if "Mine" in said and source is path:
            said = "layer 0 (Mine) is none"
        assert said in str(error.value)
        if source is model:
            model.save(path)
        else:
            assert str(path) in str(error.value)


def test_models_of_other_kinds_and_without_weights(tmp_path):
    shared = of.Dense(3)
    twice = keras.Sequential([keras.Input((3,)), shared, of.ReLU(), shared])
    with pytest.raises(NotConvertible, match=r"layer 2 \(Dense\) is layer 0 \(Dense\) again"):
        from_keras(twice, "hinge")  # and its file holds the layer once: Keras itself loses the second
    entry = keras.Input((3,))
    functional = keras.Model(entry, of.Dense(2)(entry))
    functional.save(tmp_path / "net.keras")
    with pytest.raises(NotConvertible, match="got Functional, whose `call` may do anything"):
        from_keras(functional, "hinge")
    with pytest.raises(
        NotConvertible, match=r"net\.keras holds a 'Functional'\. Expected a keras\.Sequential"
    ):
        from_keras(tmp_path / "net.keras", "hinge")
    with pytest.raises(NotConvertible, match="has no weights yet"):
        from_keras(keras.Sequential([of.Dense(2)]), "hinge")
    grid = keras.Sequential([keras.Input((3, 4)), of.Dense(2)])
    with pytest.raises(NotConvertible, match=r"takes arrays of the shape \(None, 3, 4\)\. Expected rows"):
        from_keras(grid, "hinge")
    with pytest.raises(ValueError, match=r"the keras\.Sequential does not say which loss"):
        from_keras(to_keras(network()))


def changed(path, change):
    """Rewrite the configuration in a file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(members["config.json"])
    change(about["config"]["layers"])
    members["config.json"] = json.dumps(about)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def activation(entry):
    return lambda layers: layers[1]["config"].update(activation=entry)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            activation({"class_name": "__lambda__", "config": {"value": ["4wEA", None, None]}}),
            "not Keras' own",
        ),
        (activation({"value": ["4wEA", None, None]}), "not Keras' own"),
        (
            activation({"module": "builtins", "class_name": "function", "config": "sin"}),
            "has 'sin', which is not",
        ),
        (
            lambda layers: layers[1]["config"].update(
                kernel_initializer={"module": "os", "class_name": "system", "config": "touch ran"}
            ),
            "has 'touch ran', which is not Keras' own",
        ),
        (lambda layers: layers[1].update(module="keras.config"), r"layer 0 \(Dense\) has .* not Keras' own"),
        (lambda layers: layers[1].update(class_name="Lambda"), r"layer 0 \(Lambda\) is none"),
        (lambda layers: layers[1].update(registered_name="mine>Dense"), "not Keras' own"),
        (lambda layers: layers[1].pop("config"), "is not a whole .keras file"),
    ],
)
def test_a_file_with_anything_else_is_not_given_to_keras(change, said, tmp_path, monkeypatch):
    path = tmp_path / "net.keras"
    to_keras(network()).save(path)
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("it was given to Keras"))
    changed(path, change)
    with pytest.raises(NotConvertible, match=said):
        from_keras(path, "hinge")


def test_damaged_files_and_the_old_format(tmp_path):
    path = tmp_path / "net.keras"
    to_keras(network()).save(path)
    whole = path.read_bytes()
    for cut in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(NotConvertible, match=r"net\.keras is not a whole \.keras file"):
            from_keras(path, "hinge")
    with pytest.raises(NotConvertible, match="there is no such file"):
        from_keras(tmp_path / "none.keras", "hinge")
    with pytest.raises(NotConvertible, match=r"net\.h5 is in Keras' old format, .* model\.save"):
        from_keras(tmp_path / "net.h5", "hinge")


def test_the_backend_is_the_first_that_is_installed(tmp_path):
    script = (
        "from fuseprop import Network, mlp, to_keras\n"
        "to_keras(Network(mlp([2, 1]), 'hinge', device='cpu'))\n"
        "import keras, os; print(keras.backend.backend(), os.environ.get('KERAS_BACKEND'))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment["KERAS_HOME"] = str(tmp_path)
    for _ in range(2):  # the second time with the settings that Keras has written
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "jax None"
    assert json.loads((tmp_path / "keras.json").read_text())["backend"] == "tensorflow"


def test_without_keras_the_line_to_type_is_said(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setattr("fuseprop.exchange.keras_network.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"needs keras, which is not installed\. Type: .*\[keras\]"):
        to_keras(network())


LOSSES = {
    "half_squared_error": keras.losses.MeanSquaredError,
    "mean_squared_error": keras.losses.MeanSquaredError,
    "mean_absolute_error": keras.losses.MeanAbsoluteError,
    "huber": partial(keras.losses.Huber, delta=1.5),
    "log_cosh": keras.losses.LogCosh,
    "sigmoid_cross_entropy": partial(keras.losses.BinaryCrossentropy, from_logits=True),
    "softmax_cross_entropy": partial(keras.losses.SparseCategoricalCrossentropy, from_logits=True),
}
"""As the docstring of `to_keras` has them."""

OPTIMIZERS = {
    "momentum": (lambda: MomentumSGD(0.05, 0.9), lambda: keras.optimizers.SGD(0.05, 0.9)),
    "nesterov": (
        lambda: MomentumSGD(0.05, 0.9, nesterov=True),
        lambda: keras.optimizers.SGD(0.05, 0.9, nesterov=True),
    ),
    "adam": (lambda: Adam(0.01, epsilon=1e-7), lambda: keras.optimizers.Adam(0.01)),
}


def trained_there(model, optimizer, loss, rows, task):
    """Train for some epochs by `Model.fit`; return the mean loss of each, as fuseprop counts it."""
    target = task.target if task.target.ndim > 1 else task.target[:, None]
    dtype = model.layers[0].kernel.dtype
    loss = loss(dtype=dtype)
    model.compile(optimizer=optimizer, loss=lambda t, y: task.factor * loss(t, y))
    done = model.fit(rows.astype(dtype), target, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0)
    return done.history["loss"]


BOUND = 2e-5
"""In float32: in float64 Keras computes parts of a step in float32 too."""


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [(name, "momentum") for name in LOSSES] + [("huber", "nesterov"), ("huber", "adam")],
)
def test_a_training_goes_on_here_and_there_to_the_same_losses(name, optimizer, rows):
    task = tasks()[name]
    made = begun(task, rows, "float32")
    ours, theirs = OPTIMIZERS[optimizer]
    model = to_keras(made)
    there = trained_there(model, theirs(), LOSSES[name], rows, task)
    here = made.fit(rows, task.target, ours(), epochs=EPOCHS, batch_size=BATCH, shuffle=False).train_loss
    np.testing.assert_allclose(here, there, rtol=BOUND)
    back = from_keras(model, task.loss)
    for mine, other in zip(made.weights(), back.weights(), strict=True):
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=5 * BOUND)


def relu(x):
    return 5 * x


def test_a_function_of_ones_own_that_is_called_as_one_of_keras():
    for layers in ([of.Dense(2, relu)], [of.Dense(2), of.Activation(relu)]):
        model = keras.Sequential([keras.Input((3,)), *layers])
        with pytest.raises(NotConvertible, match=r"has the activation 'relu', which is not Keras' own"):
            from_keras(model, "half_squared_error")


@pytest.mark.parametrize("place", ["the keras.Sequential", "layer 0 (Sequential)", "layer 0.0 (Dense)"])
def test_methods_of_an_object_are_refused_wherever_they_are(place):
    inner = keras.Sequential([keras.Input((3,)), of.Dense(2)])
    model = keras.Sequential([keras.Input((3,)), inner])
    holder = {"layer 0 (Sequential)": inner, "layer 0.0 (Dense)": inner.layers[0]}.get(place, model)
    holder.call = lambda x: 7 * x
    with pytest.raises(NotConvertible, match=f"{re.escape(place)} has call of its own"):
        from_keras(model, "half_squared_error")


def test_a_flatten_that_changes_the_order_is_refused():
    model = keras.Sequential([keras.Input((3, 2)), of.Flatten("channels_first"), of.Dense(2)])
    with pytest.raises(NotConvertible, match=r"layer 0 \(Flatten\) has data_format='channels_first'"):
        from_keras(model, "half_squared_error")


def test_a_subclass_of_a_sequential_is_refused():
    class Net(keras.Sequential):
        """A class of somebody's own."""

    with pytest.raises(NotConvertible, match="got Net, whose `call` may do anything"):
        from_keras(Net([keras.Input((3,)), of.Dense(2)]), "half_squared_error")


def rewritten(path, packed=zipfile.ZIP_STORED, **members):
    """Write a file of a network again, some of its members replaced, by their names without dots."""
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, content in {**held, **members}.items():
            archive.writestr(name, content)


def test_hostile_archives_are_not_given_to_keras(tmp_path, monkeypatch):
    path = tmp_path / "net.keras"
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("it was given to Keras"))
    for members, said in [
        ({"../../out.txt": "slipped"}, "holds '../../out.txt', which no network needs"),
        ({"assets/layers/_x/x.pkl": "x"}, "which no network needs"),
        ({"model.weights.h5": b"0" * 10**6}, "model.weights.h5 unpacks from"),
        ({"config.json": b" " * 10**6}, "config.json unpacks from"),
    ]:
        to_keras(network()).save(path)
        rewritten(path, zipfile.ZIP_DEFLATED, **members)
        with pytest.raises(NotConvertible, match=re.escape(said)):
            from_keras(path, "hinge")
    to_keras(network()).save(path)
    changed(path, lambda layers: layers[1]["config"].update(units=10**12))
    with pytest.raises(NotConvertible, match=r"its layers have [\d,]+ weights, and the file only [\d,]+ by"):
        from_keras(path, "hinge")
    assert {each.name for each in tmp_path.iterdir()} == {"net.keras"}


def test_weights_of_other_layers_or_elsewhere_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py", reason="pip install h5py")
    path, other, weights = tmp_path / "net.keras", tmp_path / "other.keras", tmp_path / "model.weights.h5"
    keras.Sequential([keras.Input((3,)), of.Dense(2)]).save(path)
    keras.Sequential([keras.Input((3,)), of.Dense(4)]).save(other)
    with zipfile.ZipFile(other) as archive:
        content = archive.read(weights.name)
    rewritten(path, **{weights.name: content})
    with pytest.raises(NotConvertible, match=r"net\.keras is not a whole \.keras file"):
        from_keras(path, "hinge")
    (tmp_path / "secret").write_bytes(bytes(24))
    for link in (True, False):
        keras.Sequential([keras.Input((3,)), of.Dense(2)]).save(path)
        with zipfile.ZipFile(path) as archive:
            archive.extract(weights.name, tmp_path)
        with h5py.File(weights, "a") as file:
            vars_ = file["layers/dense/vars"]
            del vars_["0"]
            if link:
                vars_["0"] = h5py.ExternalLink(str(tmp_path / "secret"), "/x")
            else:
                vars_.create_dataset("0", (3, 2), "f4", external=[(str(tmp_path / "secret"), 0, 24)])
        rewritten(path, **{weights.name: weights.read_bytes()})
        with pytest.raises(NotConvertible, match=r"net\.keras is not a whole \.keras file"):
            from_keras(path, "hinge")
