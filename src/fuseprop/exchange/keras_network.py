"""To and from Keras' `Sequential`, with any of its backends, and its `.keras` files."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from ..backend import HostArray
from ..checks.quoting import literal, shown
from ..data.errors import listed
from ..formulas.activation import ACTIVATIONS, Activation
from ..formulas.families import settings_named
from ..formulas.loss import AnyLoss
from ..installing import how_to_install
from ..network import Network
from ..storage.reading import file_errors_as, open_file
from ..storage.tensorfile import parse_json
from .chain import DTYPES, Chain, place_of
from .errors import NotConvertible

BACKENDS = ("tensorflow", "jax", "torch")
"""Keras' backends that train."""

PLAIN = {
    "identity": "linear",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "selu": "selu",
    "softplus": "softplus",
    "softsign": "softsign",
    "silu": "silu",
    "hard_sigmoid": "hard_sigmoid",
    "exponential": "exponential",
}
"""Activations by name, and Keras' names of the same formula."""

PLAIN_BACK = {name: own for own, name in PLAIN.items()} | {"elu": "elu", "leaky_relu": "leaky_relu(0.2)"}
"""Keras' names, with its defaults of the parameters of those that have some."""

FAMILIES = {"leaky_relu": "LeakyReLU", "elu": "ELU"}
"""Those with parameters, and Keras' layers, whose arguments have the same names."""

FAMILIES_BACK = {kind: name for name, kind in FAMILIES.items()}

LAYERS = (
    "Dense",
    "InputLayer",
    "Flatten",
    "Identity",
    "Dropout",
    "Activation",
    "ReLU",
    "Softmax",
    "Sequential",
)
"""Keras' other layers that can be read."""

CAN_BE_READ = ", ".join([*LAYERS, *FAMILIES_BACK])

MODULES = (
    "keras",
    *(
        "keras.layers",
        "keras.initializers",
        "keras.regularizers",
        "keras.constraints",
        "keras.dtype_policies",
    ),
)
"""Where the classes in the configuration of a file may be from."""

LONGEST_CONFIGURATION = 10_000_000
"""Bytes of a configuration that are read, whatever it would unpack to; that of a layer takes a thousand."""

ITS_OWN = ("build", "quantize")
"""Methods that Keras itself replaces in each object, and that compute nothing of rows."""

WEIGHTS = "model.weights.h5"

MEMBERS = ("metadata.json", "config.json", WEIGHTS)
"""What the archive of a network holds."""

MOST_PACKED = 100
"""How many times its size in the archive a member may unpack to."""

WRITING = 'model.save("net.keras")'
"""What a person types in Keras for a file that can be read."""


def to_keras(network: Network, *, predictions: bool = False) -> Any:
    """Return a `keras.Sequential` with copies of the weights: Dense, layers of activations, and Dropout.

    For rows x (n, d) it returns what `Network.forward` does, (n, k): for the cross-entropies logits, for the
    Poisson deviance logarithms of means. Its layers have the network's dtype. ``model.save("net.keras")``
    keeps it.

    Parameters
    ----------
    network : Network
        Of a `Model`, its `network`, whose inputs are what `Model.encode_inputs` returns.
    predictions : bool
        Whether the loss's link stands at the end, as an activation: then it returns what `Network.predict`
        does.

    Both libraries take the mean over the rows of a batch. Over the k outputs Keras' losses take the mean too,
    so that for the losses that fuseprop adds up over outputs, its value and gradient are k times theirs:

    =======================  =================================================  =======================
    loss                     Keras', in keras.losses, of what the model returns  fuseprop's is it times
    =======================  =================================================  =======================
    half_squared_error       MeanSquaredError()                                 k / 2
    mean_squared_error       MeanSquaredError()                                 1
    mean_absolute_error      MeanAbsoluteError()                                1
    huber(delta)             Huber(delta=delta)                                 1
    log_cosh                 LogCosh()                                          1
    sigmoid_cross_entropy    BinaryCrossentropy(from_logits=True)               k
    softmax_cross_entropy    SparseCategoricalCrossentropy(from_logits=True)    1
    half_poisson_deviance    none of logarithms
    quantile, hinge          none
    =======================  =================================================  =======================

    ``keras.optimizers.SGD(learning_rate, momentum)`` and ``Adam`` take the steps of `MomentumSGD` and `Adam`
    with equal settings; Keras' epsilon is 1e-7 by default. In float64 Keras computes some functions in
    float32, tanh among them, unless its backend is TensorFlow.

    Keras' backend is the one that Keras has been imported with, or that KERAS_BACKEND names; without both,
    that of Keras' settings if it is installed, else the first that is of tensorflow, jax and torch.

    Raises NotConvertible for an activation that Keras cannot keep: "gelu", whose tanh form is no activation
    by name there, "step", and one's own; and for float64 with JAX where ``jax_enable_x64`` is off.
    ModuleNotFoundError, with the line to type, without Keras.

    Examples
    --------
    >>> from fuseprop import Network, mlp, to_keras
    >>> network = Network(mlp([4, 16, 3], "tanh"), "softmax_cross_entropy", seed=0)
    >>> model = to_keras(network)  # doctest: +SKIP
    >>> model.save("network.keras")  # doctest: +SKIP
    """
    keras = _keras()
    dtype = str(network.backend.dtype)
    layers: list[Any] = [keras.Input((network.inputs,), dtype=dtype)]
    dense = []
    for i, layer in enumerate(network.layers, 1):
        name, settings = _activation_there(f"layer {i}", layer.function)
        made = keras.layers.Dense(layer.outputs, activation=PLAIN.get(name, "linear"), dtype=dtype)
        dense.append(made)
        layers.append(made)
        if name in FAMILIES:
            layers.append(getattr(keras.layers, FAMILIES[name])(**settings, dtype=dtype))
        if layer.dropout:
            layers.append(keras.layers.Dropout(layer.dropout, dtype=dtype))
    link = network.stack.loss.link
    if predictions and link != "identity":
        layers.append(keras.layers.Activation(link, dtype=dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX says of each array that it is cut to float32; said once below
        sequential = keras.Sequential(layers)
    for made, pair in zip(dense, network.weights(), strict=True):
        held = keras.backend.standardize_dtype(made.kernel.value.dtype)
        if held != dtype:
            raise _cut(keras, dtype, held)
        made.set_weights(list(pair))
    return sequential


def from_keras(
    source: Any,
    loss: str | AnyLoss | None = None,
    *,
    device: str | None = None,
    dtype: str | None = None,
    seed: int | np.random.Generator | None = None,
) -> Network:
    """Return the network of a `keras.Sequential` or a `.keras` file, with copies of its weights.

    Parameters
    ----------
    source : keras.Sequential or path
        Built, with Dense layers and the activations that fuseprop has, as texts or as layers; Dropout behind
        activations, Flatten, Identity, nested Sequentials. A file is read by Keras, with ``safe_mode=True``,
        after its configuration has been checked to hold nothing but these.
    loss : str or Loss, optional
        As for `Network`; a softmax at the end stands for "softmax_cross_entropy". A sigmoid at the end is
        the link of "sigmoid_cross_entropy", an exponential that of "half_poisson_deviance", and both are
        activations to other losses. `to_keras` says which losses correspond.
    device, dtype, seed
        As for `Network`; dtype is by default that of the weights.

    A Dense without a bias gets one of 0, with a warning. What concerns training alone (the optimizer, the
    loss that a model was compiled with, regularizers, constraints, frozen layers) stays behind.

    Raises NotConvertible, a ValueError that names position and class, for other layers, subclasses among
    them, for methods and activations of one's own, whatever they are called, for a layer that is used
    twice, for weights of other dtypes, for ``.h5`` files, and for damaged files; ValueError for a missing
    loss; ModuleNotFoundError, with the line to type, without Keras.

    Examples
    --------
    >>> from fuseprop import from_keras
    >>> network = from_keras("network.keras", "softmax_cross_entropy")  # doctest: +SKIP
    """
    keras, whole, sequential = _keras(), "the keras.Sequential", source
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        whole, sequential = shown(path, None), _load(path)
    chain = _chain_of(keras, sequential, whole)
    return chain.network(loss, device=device, dtype=dtype, seed=seed)


def _keras() -> Any:
    """Return Keras, which chooses its backend when it is imported first."""
    if "keras" in sys.modules:
        return sys.modules["keras"]
    if find_spec("keras") is None:
        raise ModuleNotFoundError(
            f"a network for Keras needs keras, which is not installed. Type: {how_to_install('keras')}.",
            name="keras",
        )
    if "KERAS_BACKEND" in os.environ:
        return import_module("keras")
    installed = [name for name in (_settled(), *BACKENDS) if find_spec(name) is not None]
    if not installed:
        raise ModuleNotFoundError(
            f"Keras needs one of {', '.join(BACKENDS)} to compute with, and none is installed. Type: "
            f"{how_to_install('keras')}.",
            name="jax",
        )
    os.environ["KERAS_BACKEND"] = installed[0]
    try:
        return import_module("keras")
    finally:
        del os.environ["KERAS_BACKEND"]


def _settled() -> str:
    """Return the backend in Keras' settings, which Keras writes itself where there are none."""
    folder = os.environ.get("KERAS_HOME") or Path("~").expanduser() / ".keras"
    try:
        named = json.loads(Path(folder, "keras.json").read_text()).get("backend")
    except (OSError, ValueError, AttributeError):
        named = None
    return named if named in BACKENDS else BACKENDS[0]


def _activation_there(place: str, activation: Activation) -> tuple[str, dict[str, float]]:
    """Return the name of an activation that Keras has, and its parameters."""
    if activation.is_built_in:
        name, settings = settings_named("activation", activation.name, ACTIVATIONS)
        if name in PLAIN or name in FAMILIES:
            return name, settings
        if name == "gelu":
            raise NotConvertible(
                f'{place} has the activation gelu, which is its tanh form, and "gelu" in Keras is the exact '
                f'one, of the error function. "silu" is close to it, and both have it.'
            )
    raise NotConvertible(
        f"{place} has the activation {activation}, which Keras does not have. Those that can be converted: "
        f"{', '.join([*PLAIN, *FAMILIES])}."
    )


def _load(path: Path) -> Any:
    """Return the model in a file; raise NotConvertible where it may hold anything else, unread by Keras."""
    place = shown(path, None)
    hint = f"In Keras, {WRITING} writes one."
    if path.suffix.lower() in (".h5", ".hdf5"):
        raise NotConvertible(
            f"{place} is in Keras' old format, whose layers may hold code of any kind: fuseprop does not "
            f"read it. Load it in Keras, if you trust it, and type: {WRITING}."
        )
    with file_errors_as(NotConvertible, path, "a whole .keras file", hint):
        with open_file(path) as file, ZipFile(file) as archive:
            _check_members(place, archive)
            size = archive.getinfo(WEIGHTS).file_size
            with archive.open("config.json") as member:
                text = member.read(LONGEST_CONFIGURATION).decode()
        about = parse_json(text)
        _check_configuration(place, about)
        _check_size(place, about, size)
        return _keras().saving.load_model(path, compile=False, safe_mode=True)


def _check_members(place: str, archive: ZipFile) -> None:
    """Raise NotConvertible for an archive that holds more than networks have, or unpacks to much more."""
    for member in archive.infolist():
        if member.filename not in MEMBERS:
            raise NotConvertible(
                f"{place} holds {literal(member.filename)}, which no network needs. Expected "
                f"{', '.join(MEMBERS)}."
            )
        if member.file_size > MOST_PACKED * max(member.compress_size, 1):
            raise NotConvertible(
                f"{place}: {member.filename} unpacks from {member.compress_size:,} bytes to "
                f"{member.file_size:,}. Expected it as Keras writes it, which packs nothing: {WRITING}."
            )


def _check_size(place: str, about: dict[str, Any], size: int) -> None:
    """Raise NotConvertible for layers larger than the weights beside them: Keras makes room for all first."""
    width, parameters = 1, 0
    for _, layer in _layers_of(about):
        units = layer["config"].get("units") if layer["class_name"] == "Dense" else None
        if isinstance(units, int):
            parameters += width * units
            width = units
    if parameters > size:
        raise NotConvertible(
            f"{place}: its layers have {parameters:,} weights, and the file only {size:,} bytes of them. It "
            f"is damaged: {WRITING} writes a whole one."
        )


def _check_configuration(place: str, about: dict[str, Any]) -> None:
    """Raise NotConvertible unless a configuration has known layers, and nothing that is not Keras' own."""
    if about.get("class_name") != "Sequential":
        raise NotConvertible(
            f"{place} holds a {literal(about.get('class_name'))}. Expected a keras.Sequential."
        )
    for position, layer in _layers_of(about):
        kind = layer.get("class_name")
        if kind not in (*LAYERS, *FAMILIES_BACK):
            raise NotConvertible(
                f"{place}: {place_of(position, kind)} is none of the layers that can be converted. Expected "
                f"{CAN_BE_READ}."
            )
        strangers = [each for each in _dictionaries(layer) if _is_strange(each)]
        activation = layer["config"].get("activation", "linear")
        if strangers or not isinstance(activation, str):
            found = strangers[0].get("config", strangers[0]["class_name"]) if strangers else "a function"
            raise NotConvertible(
                f"{place}: {place_of(position, kind)} has {literal(found)}, which is not Keras' own. "
                f"Expected layers as Keras has them, with activations by their names."
            )


def _is_strange(entry: dict[str, Any]) -> bool:
    """Whether a part of a configuration is an object that is not Keras' own."""
    is_object = "class_name" in entry or "module" in entry
    return is_object and (entry.get("module") not in MODULES or entry.get("registered_name") is not None)


def _layers_of(about: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the layers of a configuration with their positions, those of nested models in place."""
    layers = [layer for layer in about["config"]["layers"] if layer.get("class_name") != "InputLayer"]
    for i, layer in enumerate(layers):
        if layer.get("class_name") == "Sequential":
            yield from _layers_of(layer, f"{above}{i}.")
        else:
            yield f"{above}{i}", layer


def _dictionaries(data: object) -> Iterator[dict[str, Any]]:
    if isinstance(data, dict):
        yield data
    if isinstance(data, dict | list):
        for each in data.values() if isinstance(data, dict) else data:
            yield from _dictionaries(each)


def _chain_of(keras: Any, sequential: Any, whole: str) -> Chain:
    if type(sequential) is not keras.Sequential:
        raise NotConvertible(
            f"from_keras takes a keras.Sequential or a .keras file, got {type(sequential).__name__}, whose "
            f"`call` may do anything. Put its layers into a keras.Sequential."
        )
    if not sequential.built:
        raise NotConvertible(f"{whole} has no weights yet. Call it with rows, or begin it with keras.Input.")
    chain = Chain(whole)
    _check_untouched(whole, sequential)
    has_rows = len(sequential.input_shape) == 2
    seen: dict[int, str] = {}
    for position, layer in _flat(keras, whole, sequential):
        kind = type(layer).__name__
        if getattr(keras.layers, kind, None) is not type(layer):
            kind = f"{type(layer).__module__}.{kind}"
        place = place_of(position, kind)
        if kind == "Dense" and id(layer) in seen:
            raise NotConvertible(
                f"{whole}: {place} is {seen[id(layer)]} again, and each layer of fuseprop has its own "
                f"weights."
            )
        seen[id(layer)] = place
        if kind == "Flatten":
            if layer.data_format == "channels_first" and not has_rows:
                raise NotConvertible(
                    f"{whole}: {place} has data_format='channels_first', which changes the order of the "
                    f"numbers. Expected 'channels_last'."
                )
            has_rows = True
        elif kind == "Dense":
            if not has_rows:
                raise NotConvertible(
                    f"{whole}: {place} takes arrays of the shape {sequential.input_shape}. Expected rows: "
                    f"put keras.layers.Flatten() before it."
                )
            _take_dense(keras, chain, place, layer)
        elif kind == "Dropout":
            if layer.noise_shape is not None:
                raise NotConvertible(
                    f"{whole}: {place} has noise_shape={layer.noise_shape}. Expected none: each output is "
                    f"dropped by itself."
                )
            chain.dropout(place, layer.rate)
        elif kind == "Activation":
            _take_activation(keras, chain, place, layer.activation)
        elif kind == "Softmax":
            if layer.axis not in (-1, 1):
                raise NotConvertible(f"{whole}: {place} goes along axis {layer.axis!r}. Expected -1.")
            chain.link(place, "softmax")
        elif kind == "ReLU":
            if layer.max_value is not None or layer.threshold:
                raise NotConvertible(
                    f"{whole}: {place} has max_value={layer.max_value} and threshold={layer.threshold}. "
                    f"Expected none and 0."
                )
            slope = float(layer.negative_slope)
            chain.activation(place, _member(chain, place, "leaky_relu", slope) if slope else "relu")
        elif kind in FAMILIES_BACK:
            name = FAMILIES_BACK[kind]
            (parameter,) = ACTIVATIONS[name].parameters
            value = float(np.asarray(getattr(layer, parameter)))
            chain.activation(place, _member(chain, place, name, value))
        elif kind != "Identity":
            raise NotConvertible(
                f"{whole}: {place} is none of the layers that can be converted. Expected {CAN_BE_READ}."
            )
    return chain


def _flat(keras: Any, whole: str, sequential: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for i, layer in enumerate(sequential.layers):
        _check_untouched(f"{whole}: {place_of(f'{above}{i}', type(layer).__name__)}", layer)
        if type(layer) is keras.Sequential:
            yield from _flat(keras, whole, layer, f"{above}{i}.")
        else:
            yield f"{above}{i}", layer


def _check_untouched(place: str, layer: Any) -> None:
    """Raise NotConvertible for a layer that may compute something else than its class does."""
    held = {name for name in vars(layer) if callable(getattr(type(layer), name, None))}
    replaced = sorted(held.difference(ITS_OWN))
    if replaced:
        raise NotConvertible(
            f"{place} has {listed(replaced)} of its own, in the place of its class's, which may do anything. "
            f"Expected layers as Keras has them."
        )


def _cut(keras: Any, dtype: str, held: str) -> NotConvertible:
    return NotConvertible(
        f"Keras' backend {keras.backend.backend()} holds {held} in the place of {dtype}. Type "
        f'jax.config.update("jax_enable_x64", True) first, or take float32.'
    )


def _take_dense(keras: Any, chain: Chain, place: str, layer: Any) -> None:
    if getattr(layer, "quantization_mode", None) is not None:
        raise NotConvertible(
            f"{chain.whole}: {place} is quantized to {layer.quantization_mode}. Expected "
            f"{' or '.join(DTYPES)}."
        )
    if layer.compute_dtype != layer.variable_dtype:
        raise NotConvertible(
            f"{chain.whole}: {place} computes in {layer.compute_dtype} and holds {layer.variable_dtype}. "
            f"Expected {' or '.join(DTYPES)} for both."
        )

    def host(array: Any) -> HostArray:
        held = np.asarray(keras.ops.convert_to_numpy(array))
        if held.dtype.name != layer.variable_dtype and layer.variable_dtype in DTYPES:
            raise _cut(keras, layer.variable_dtype, held.dtype.name)
        return held

    chain.dense(place, host(layer.kernel), None if layer.bias is None else host(layer.bias))
    _take_activation(keras, chain, place, layer.activation)


def _take_activation(keras: Any, chain: Chain, place: str, function: Any) -> None:
    name = keras.activations.serialize(function) if function is not None else "linear"
    if function is not None and function is not getattr(keras.activations, str(name), None):
        raise NotConvertible(
            f"{chain.whole}: {place} has the activation {literal(name)}, which is not Keras' own. Expected "
            f"one of Keras', by its name."
        )
    if name == "softmax" or name == "log_softmax":
        chain.link(f"the {name} of {place}", "softmax")
    elif name == "gelu":
        raise NotConvertible(
            f"{chain.whole}: {place} has the exact gelu, of the error function, which fuseprop does not "
            f'have: its own is the tanh form. Expected another activation, such as "silu".'
        )
    elif isinstance(name, str) and name in PLAIN_BACK:
        chain.activation(f"the {name} of {place}", PLAIN_BACK[name])
    else:
        raise NotConvertible(
            f"{chain.whole}: {place} has the activation {literal(name)}. Expected {', '.join(PLAIN_BACK)}, "
            f"or softmax at the end."
        )


def _member(chain: Chain, place: str, family: str, value: float) -> Activation:
    try:
        return ACTIVATIONS[family].member(value)
    except ValueError as error:
        raise NotConvertible(f"{chain.whole}: {place}: {error}") from error
