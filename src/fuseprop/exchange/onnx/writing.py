"""Networks, models and estimators as ONNX files: the graph that predicts as they do, and what they are."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...checks.arrays import all_finite
from ...checks.settings import as_path
from ...data.errors import listed
from ...data.tasks import is_for_classes
from ...formulas.kept import keep_activation, keep_loss
from ...model.configuration import contradictions
from ...model.model import Model
from ...network import Network
from ..errors import NotConvertible
from .decoding import decision_of, outputs_of
from .encoding import ALL, AS_INPUT, check_names, columns_used, encoded, is_one_array
from .file import EXAMPLE, KEY, write
from .graph import Graph
from .operators import activated, linked

FORMAT = 1
"""The newest format of what the metadata keep, of those that this version reads."""


def notes_of(model: Any) -> list[str]:
    """Return what whoever feeds the file of a model must know of its columns that are no plain numbers."""
    if not isinstance(model, Model):
        return []
    columns: dict[str, list[str]] = {}
    for about in (_about(model, j) for j in columns_used(model.encoder)):
        if about["kind"] != "number" or "in training" in about:
            columns.setdefault(about["input"], []).append(about["name"])
    return [f"{listed(names)}: {given}" for given, names in columns.items()]


def to_onnx(model: Any, path: str | Path) -> None:
    """Write a network, model or estimator to an ONNX file, whose operators predict as it does.

    The file needs opset 17, which onnxruntime has from 1.12 on. Within 1000 eps max(1, |p|) of the dtype, its
    outputs are those of `predict` (and `predict_proba`). It also holds, as metadata, all that `from_onnx`
    makes the same object of again.

    ==============  ======================================  =================================================
    of              inputs                                  outputs
    ==============  ======================================  =================================================
    a `Network`     X (rows, d), of its dtype               prediction (rows, k); of classes also decision, as
                                                            `classify`
    a `Model`       each column by its name, (rows, 1):     prediction (rows,) or (rows, t): values in the
                    numbers in float64, NaN where they      targets' own units, or the classes themselves;
                    are missing; texts of categories and    probabilities (rows, classes or labels)
                    booleans, "" where they are missing;
                    dates as days since 1970-01-01. X
                    (rows, d) in float64 where columns have
                    no names
    an estimator    X (rows, d), of its dtype               as of a model
    ==============  ======================================  =================================================

    The graph has no dropout, which changes nothing in `predict`; the metadata keep its rates. An output whose
    name is that of an input gets a number: beside a column "prediction" it is "prediction 2", and the
    metadata "outputs" say so.

    Where `predict` raises DataError for a text that is neither of a boolean's two, for a missing value in a
    model that refuses them, or for a number that is too large, the runtime ends with an error, for all rows
    that it was given; so it does for classes, decisions and labels of outputs that are nan or inf. The
    outputs of a regression are nan or inf there. Nothing warns of rows unlike those learned from.

    Two things are not among ONNX's operators, and the metadata "columns" say for each input what it takes.
    Texts are taken as they are: `predict` takes spaces around them off, and in the file "red " is another
    category than "red", and so counts as new. Dates and numbers in other notations are not read out of texts:
    such columns are numbers here.

    Parameters
    ----------
    model : Network, Model, MLPClassifier or MLPRegressor
        What it was trained by, such as an optimizer's moments, is not written.
    path : path
        The file is replaced whole.

    Raises TypeError for anything else; NotConvertible for a column without a name, and for more than 2 GiB;
    ValueError for weights that are not finite, and for a classifier of one class; NotFittedError; OSError;
    ImportError without the package onnx, which the extra "onnx" brings.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from fuseprop import Network, from_onnx, mlp, to_onnx
    >>> network = Network(mlp([2, 3, 1], "gelu"), "sigmoid_cross_entropy", device="cpu", seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "network.onnx")
    ...     to_onnx(network, path)
    ...     again = from_onnx(path, device="cpu")
    >>> X = np.array([[0.5, -1.0]])
    >>> bool((again.predict(X) == network.predict(X)).all())
    True
    """
    path = as_path(path, EXAMPLE)
    if isinstance(model, Network):
        made = _of_network(model)
    elif isinstance(model, Model):
        made = _of_model(model, "Model")
    else:
        made = _of_estimator(model, path)
    write(path, made)


def _of_network(network: Network) -> Any:
    loss, dtype = network.stack.loss, np.dtype(network.backend.dtype)
    graph = Graph(dtype, (ALL,))
    prediction, weights = _predicted(graph, network, graph.input(ALL, dtype, network.inputs))
    names = {"prediction": graph.output(prediction, "prediction", dtype, network.outputs)}
    if is_for_classes(loss):
        names["decision"] = decision_of(graph, network, prediction)
    kept = {
        "activations": [keep_activation(layer.function) for layer in network.layers],
        "dropout": [layer.dropout for layer in network.layers],
        "loss": keep_loss(loss),
        "metric": network.metric or "",
        "dtype": str(dtype),
    }
    return graph.model(
        "A dense network.", {"loss": str(loss), "outputs": _json(names), **_kept("Network", kept, weights)}
    )


def _of_estimator(estimator: Any, path: Path) -> Any:
    base = sys.modules.get("fuseprop.estimators.base")  # whoever has an estimator has imported it
    if base is None or not isinstance(estimator, base.BaseMLP):
        raise TypeError(
            f"to_onnx takes a Network, a Model, an MLPClassifier or an MLPRegressor of fuseprop, got "
            f"{type(estimator).__name__}."
        )
    from ...estimators.files import described

    layers, configuration = described(estimator)
    kind = "MLPClassifier" if hasattr(estimator, "predict_proba") else "MLPRegressor"
    return _of_model(Model.of_configuration(path, layers, configuration, "cpu"), kind)


def _of_model(model: Model, kind: str) -> Any:
    """Return the graph of a model; that of an estimator takes what the network takes, in its dtype."""
    network, encoder, task = model.network, model.encoder, model.task
    dtype, c = np.dtype(network.backend.dtype), model.configuration()
    wrong = contradictions(c)
    if wrong:
        raise NotConvertible(f"the model cannot be written: {'; '.join(wrong)}.")
    is_estimator = kind != "Model"
    used = columns_used(encoder)
    if is_estimator or is_one_array(encoder, model.named):
        names: tuple[str, ...] = (ALL,)
    else:
        names = tuple(encoder.columns[j].name for j in used)
    check_names(encoder, model.named or not is_estimator)
    graph = Graph(dtype, names)
    x = graph.input(ALL, dtype, network.inputs) if is_estimator else encoded(graph, encoder, model.named)
    prediction, weights = _predicted(graph, network, x)
    given = outputs_of(graph, model, prediction, undo=not is_estimator)
    texts = {
        "task": task.name,
        "loss": network.loss,
        "targets": _json(task.targets),
        "columns": _json([_about(model, j) for j in used]),
        "outputs": _json(given),
    }
    if task.labels:
        texts["classes" if task.classes else "labels"] = _json(task.labels)
    texts |= _kept(kind, asdict(c), weights)
    return graph.model(f"A {task.name} model of {len(encoder.columns)} columns.", texts)


def _about(model: Model, j: int) -> dict[str, Any]:
    """Return what the metadata say of a column."""
    column = model.encoder.columns[j]
    about: dict[str, Any] = {"name": column.name, "kind": column.kind, "input": AS_INPUT[column.kind]}
    if column.levels:
        about["levels"] = list(column.levels)
    if column.notation:
        about["in training"] = column.notation
    return about


def _predicted(graph: Graph, network: Network, x: str) -> tuple[str, list[tuple[str, str]]]:
    """Add the layers and the link; return the names of what `Network.predict` returns, and of the weights."""
    names = []
    for i, (layer, pair) in enumerate(zip(network.layers, network.weights(), strict=True)):
        if not all(map(all_finite, pair)):
            raise ValueError(
                "the weights hold nan or inf: no ONNX file is written. Try a smaller learning rate."
            )
        name = f"layers.{i}"
        weights, bias = graph.constant(pair[0], f"{name}.weight"), graph.constant(pair[1], f"{name}.bias")
        x = activated(graph, layer.function, graph.node("Gemm", x, weights, bias, name=name))
        names.append((weights, bias))
    return linked(graph, network.stack.loss.link, x), names


def _kept(kind: str, about: dict[str, Any], weights: list[tuple[str, str]]) -> dict[str, str]:
    """Return what makes the object again: what it is beside its weights, and what these are called."""
    kept = {"format": FORMAT, "version": __version__, "kind": kind, "about": about, "weights": weights}
    return {KEY: json.dumps(kept, allow_nan=False, ensure_ascii=False), "fuseprop.version": __version__}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
