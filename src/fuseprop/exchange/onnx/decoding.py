"""What a network's predictions stand for, as ONNX operators: values in the targets' units, or classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...layers.targets import coding_of
from ...model.model import Model
from ...network import Network
from .graph import Graph

OF_KIND = {"b": np.bool_, "i": np.int64, "u": np.uint64, "f": np.float64}
"""The dtypes of classes that are no texts, by NumPy's kinds."""


NO_DECISION = "a decision of nan or inf"


def decision_of(graph: Graph, network: Network, prediction: str) -> str:
    """Add the output of what `Network.classify` returns; return its name."""
    loss = network.stack.loss
    if loss.link == "softmax":
        number = _largest(graph, prediction)
        return graph.output(number, "decision", np.int64, None)
    coding = coding_of(loss, network.layers[-1])
    threshold = 0.5 if loss.link == "sigmoid" else sum(coding) / 2
    dtype: Any = np.int64 if all(float(x).is_integer() for x in coding) else np.float64
    no, yes = (graph.constant(x, dtype=dtype) for x in coding)
    says_yes = graph.node("Greater", prediction, graph.constant(threshold))
    decision = graph.node("Where", says_yes, yes, no)
    decision = graph.refused(decision, _not_finite(graph, prediction), NO_DECISION, dtype)
    return graph.output(decision, "decision", dtype, network.outputs)


def outputs_of(graph: Graph, model: Model, outputs: str, *, undo: bool) -> dict[str, str]:
    """Add the outputs of a model, as `Model.predict` returns them; return their names by what they are.

    Without `undo` the values of a regression stay as they are, as an estimator's do.
    """
    task, t = model.task, None if len(model.task.targets) == 1 else len(model.task.targets)
    dtype: Any = graph.dtype
    if task.name != "regression":
        value, dtype = _decided(graph, model, outputs)
        width = None if task.classes else t
    else:
        value, width = outputs, t
        if model.targets is not None and undo:
            value, dtype = _undone(graph, outputs, model), np.float64
        value = value if t else _single(graph, value)
    given = {"prediction": graph.output(value, "prediction", dtype, width)}
    if task.has_probabilities(model.network.stack.loss):
        if task.name == "binary" and model.network.outputs == 1:
            other = graph.node("Sub", graph.constant(1.0), outputs)
            outputs = graph.node("Concat", other, outputs, axis=1)
        given["probabilities"] = graph.output(outputs, "probabilities", graph.dtype, len(task.labels))
    return given


def _decided(graph: Graph, model: Model, outputs: str) -> tuple[str, Any]:
    """Add what `Task.decide` does; return the name of the classes or labels, and their dtype."""
    task, loss = model.task, model.network.stack.loss
    if task.classes and model.network.outputs > 1:
        number = _largest(graph, outputs)
    else:
        threshold = graph.constant(task.threshold(loss))
        number = graph.node("Cast", graph.node("Greater", outputs, threshold), to=graph.kind(np.int64))
        number = graph.refused(number, _not_finite(graph, outputs), NO_DECISION, np.int64)
        number = _single(graph, number) if len(task.targets) == 1 else number
    if not task.classes:
        return number, np.int64
    classes = np.array(task.classes)
    dtype: Any = OF_KIND.get(classes.dtype.kind, str)
    held = graph.constant(
        classes.astype(object) if dtype is str else classes, "classes", object if dtype is str else dtype
    )
    return graph.node("Gather", held, number, name="class", axis=0), dtype


def _largest(graph: Graph, outputs: str) -> str:
    """Return the number (rows,) of the largest output of a row."""
    number = graph.node("ArgMax", outputs, axis=1, keepdims=0)
    each = graph.node("Cast", _not_finite(graph, outputs), to=graph.kind(np.int64))
    return graph.refused(number, graph.node("ReduceMax", each, axes=[1], keepdims=0), NO_DECISION, np.int64)


def _not_finite(graph: Graph, outputs: str) -> str:
    """Return where outputs are nan or inf, from which no class can be told: there x - x is nan."""
    return graph.node("IsNaN", graph.node("Sub", outputs, outputs))


def _undone(graph: Graph, outputs: str, model: Model) -> str:
    """Add what `Standardizer.undo` does, in float64."""
    assert model.targets is not None
    wide = graph.node("Cast", outputs, to=graph.kind(np.float64))
    scale, mean = (
        graph.constant(each, name, np.float64)
        for each, name in ((model.targets.scale, "target scale"), (model.targets.mean, "target mean"))
    )
    return graph.node("Add", graph.node("Mul", wide, scale), mean)


def _single(graph: Graph, values: str) -> str:
    """Return the values (rows,) of a single output (rows, 1)."""
    return graph.node("Squeeze", values, graph.constant([1], dtype=np.int64))
