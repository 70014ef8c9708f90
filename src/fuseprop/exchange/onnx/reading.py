"""ONNX files as networks: those of ours as what they were, those of others by their operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...backend.registry import load_backend
from ...checks.quoting import counted, literal, shown
from ...checks.settings import as_path
from ...checks.warning import warn_user
from ...data.errors import listed
from ...formulas.loss import AnyLoss, as_loss
from ...layers.dense import Dense
from ...network import Network
from ...storage.reading import file_errors_as
from ..errors import NotConvertible
from .class_names import class_names
from .file import EXAMPLE, Contents, read
from .library import onnx_library
from .nodes import ADVICE, OPERATORS, Layer, Node, Rows, Value, activation_of
from .rebuilding import rebuilt
from .tensors import Tensors

AT_THE_END = {"softmax": "softmax_cross_entropy", "sigmoid": "sigmoid_cross_entropy"}
"""The loss of a network of others, by its end."""

OLDEST = 7
"""The first opset in which Dropout and BatchNormalization predict unless they are told to train."""


def from_onnx(path: str | Path, loss: str | AnyLoss | None = None, *, device: str | None = None) -> Any:
    """Return the network, model or estimator in an ONNX file.

    A file that `to_onnx` wrote gives the object of that kind that was written, with every bit of its weights.
    A file of others gives a `Network`, by its operators, if these are dense layers (Gemm, or MatMul and Add)
    and formulas of their sums: activations, built in or of an own formula, dropout, and what leaves the rows
    as they are, such as Identity and Flatten. Of several outputs the one of floats is taken, and no node that
    is not on the way to it. Weights may stand in files beside the given one.

    Where a file of others names its classes, as skl2onnx does, a UserWarning says which: a network has
    numbers in their place.

    Nothing in a file is executed, and no file elsewhere is opened.

    Parameters
    ----------
    path : path
    loss : str or Loss, optional
        By which a network of others is to be trained, which no file says. By default the end decides: after a
        Softmax "softmax_cross_entropy", after a Sigmoid "sigmoid_cross_entropy", else "mean_squared_error".
        What is predicted does not depend on it: an activation at the end that is the loss's link becomes
        that.
    device : str, optional
        See `Network`.

    Raises ValueError for a loss that does not fit the end, or that is another than a file of ours has.
    Raises NotConvertible for a file that is damaged or no ONNX file, and for what no dense network has: the
    text names the node, its operator, and what was expected. Raises BackendUnavailable where the device
    cannot be had; ImportError without the package onnx, which the extra "onnx" brings, and for an estimator
    without scikit-learn.

    Examples
    --------
    `to_onnx` shows a network that goes to a file and back.

    >>> from fuseprop import from_onnx
    >>> from_onnx("no.onnx")
    Traceback (most recent call last):
    fuseprop.exchange.errors.NotConvertible: no.onnx: there is no such file.
    """
    path, _ = as_path(path, EXAMPLE), onnx_library()
    place = shown(path, None)
    load_backend(device)  # before anything is taken for a fault of the file
    chosen = None if loss is None else as_loss(loss)
    with file_errors_as(NotConvertible, path, "a whole ONNX file", "Export it again."):
        contents = read(path)
        tensors = Tensors(path, contents.model.graph)
    try:
        if not contents.is_ours:
            return _followed(path, contents, tensors, chosen, device)
        made = rebuilt(path, contents, tensors, device)
    except NotConvertible:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {shown(str(error), 500)}"
        raise NotConvertible(f"{place} holds no network that fuseprop has ({what}).") from error
    if chosen is not None:
        raise ValueError(f"{place} was written by fuseprop and knows its loss: give none.")
    return made


def _followed(
    path: Path, contents: Contents, tensors: Tensors, loss: AnyLoss | None, device: str | None
) -> Network:
    """Return the network in a file of others."""
    place = shown(path, None)
    end = _end(place, contents.model, tensors)
    names = class_names(contents.model.graph, tensors)
    if names is not None:
        warn_user(
            f"{place} names its classes {listed(names)}, and a network has numbers: 0 stands for the first, "
            f"1 for the second, and so on. Keep the names."
        )
    link = "softmax" if end.is_softmax else "" if end.activation is None else end.activation.name
    if loss is None:
        loss = as_loss(AT_THE_END.get(link, "mean_squared_error"))
    elif end.is_softmax and loss.link != "softmax":
        raise NotConvertible(
            f"{place} ends with a Softmax, and the loss {loss} has the link {loss.link}: expected "
            f'"softmax_cross_entropy". Give that, or no loss.'
        )
    rows = Rows(end.layer) if link == loss.link else end
    found = list[tuple[Rows, Layer]]()
    while rows.layer is not None:
        found.append((rows, rows.layer))
        rows = rows.layer.source
    layers = [
        (layer.weights, layer.bias, activation_of(behind, f"onnx {i}"))
        for i, (behind, layer) in enumerate(reversed(found), 1)
    ]
    if not layers:
        raise NotConvertible(
            f"{place} has no dense layer: expected a Gemm or a MatMul with constant weights."
        )
    dtypes = {array.dtype for weights, bias, _ in layers for array in (weights, bias)}
    if len(dtypes) > 1:
        raise NotConvertible(
            f"{place} has weights in {' and in '.join(sorted(map(str, dtypes)))}: expected one of them. "
            f"Export the network in one."
        )
    made = [
        Dense(len(weights), len(bias), f.name if f.is_built_in else f, weights=weights, bias=bias)
        for weights, bias, f in layers
    ]
    return Network(made, loss, device=device, dtype=str(np.dtype(dtypes.pop())))


def _end(place: str, model: Any, tensors: Tensors) -> Rows:
    """Return the values of the rows at the graph's output."""
    graph, opset = model.graph, _opset(place, model)
    inputs = [each.name for each in graph.input if each.name not in tensors]
    made_by = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    output = _output(place, graph)
    needed, stack, wanted = set[int](), [output], set[str]()
    while stack:
        name = stack.pop()
        wanted.add(name)
        if name in made_by and made_by[name] not in needed:
            needed.add(made_by[name])
            stack += [each for each in graph.node[made_by[name]].input if each]
    wanted &= set(inputs)
    if len(wanted) != 1:
        raise NotConvertible(
            f"{place} has {counted(len(wanted), 'input')} on which its output depends, "
            f"{listed(sorted(wanted)) or 'none'}: expected one, rows (n, inputs). Export the network without "
            f"what is done to its columns."
        )
    values: dict[str, Value] = {name: Rows(None) for name in wanted}
    for i in sorted(needed):
        proto = graph.node[i]
        node = Node(place, proto, opset, tensors.read)
        if node.operator not in OPERATORS:
            node.refuse("an operator of dense layers", f"{ADVICE} Those are: {', '.join(OPERATORS)}.")
        operands = [_value(node, name, values, tensors) if name else None for name in proto.input]
        made = OPERATORS[node.operator](node, operands)
        if not proto.output or proto.output[0] in values:
            node.refuse("an output with a name of its own", "The file is damaged. Export it again.")
        values[proto.output[0]] = made
    end = values.get(output)
    if not isinstance(end, Rows):
        raise NotConvertible(
            f"{place}: the output {literal(output)} does not depend on the input. Export it again."
        )
    return end


def _value(node: Node, name: str, values: dict[str, Value], tensors: Tensors) -> Value:
    if name not in values:
        if name not in tensors:
            node.refuse(
                f"the input {literal(name)} before it is used", "The file is damaged. Export it again."
            )
        values[name] = tensors.array(name)
    return values[name]


def _output(place: str, graph: Any) -> str:
    """Return the name of the output that holds floats."""
    types = onnx_library().TensorProto
    floats = [
        each.name for each in graph.output if each.type.tensor_type.elem_type in (types.FLOAT, types.DOUBLE)
    ]
    if len(floats) != 1:
        names = listed([each.name for each in graph.output]) or "none"
        raise NotConvertible(
            f"{place} has the outputs {names}, {len(floats)} of them of floats: expected one. Export "
            f"what the network predicts alone; of scikit-learn's classifiers with the option zipmap=False."
        )
    return str(floats[0])


def _opset(place: str, model: Any) -> int:
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] < OLDEST:
        raise NotConvertible(
            f"{place} is of the opset {listed([str(version) for version in versions]) or 'of no version'}: "
            f"expected {OLDEST} or newer. Export it again, for a newer opset."
        )
    return int(versions[0])
