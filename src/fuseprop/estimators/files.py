"""Estimators in fuseprop's model files, which `fuseprop.load` and the command read too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend import HostArray
from ..checks.quoting import shown
from ..checks.settings import as_path
from ..data.table_data import numbered
from ..data.tasks import Task
from ..formulas.kept import keep_activation, keep_loss, loss_kept
from ..metrics import metric_of_values
from ..model.configuration import Configuration, activations_in, encoder_in, seen_entries, seen_in
from ..model.files import Layers, ModelFileError, read_with_training, task_in_file, write_model
from ..storage.reading import file_errors_as
from .labels import Kind, Labels
from .parameters import hidden_activations
from .training_state import set_training, training_of

TASK_OF: dict[Kind, str] = {
    "binary": "binary",
    "multiclass": "exclusive",
    "multilabel-indicator": "multi-label",
}
KIND_OF = {task: kind for kind, task in TASK_OF.items()}


def save(estimator: Any, path: str | Path, *, training: bool) -> None:
    """Write what predicts to a model file: weights, activations, loss, classes and names.

    With `training` it also has what training goes on from: parameters, curves, counters, the optimizer.

    What was done to X before `fit`, such as scaling in a pipeline, is not in the file, and the file says so.
    It holds the range of each feature in training, so that `Model.predict` can warn of rows outside it.

    Raises NotFittedError, OSError where the file cannot be written, ValueError for a classifier of one class.
    """
    layers, configuration = described(estimator)
    write_model(path, layers, configuration, training_of(estimator) if training else None)


def described(estimator: Any) -> tuple[list[tuple[HostArray, HostArray]], Configuration]:
    """Return weights (d, m) and bias (m,) of each layer, and all else that predicts. Raises as `save`."""
    check_is_fitted(estimator, "coefs_")
    labels = getattr(estimator, "_labels", None)
    if labels is not None and labels.kind == "binary" and len(labels.classes) < 2:
        raise ValueError("a classifier that knows one class cannot be saved; pickle keeps it.")
    d, k = estimator.n_features_in_, estimator.n_outputs_
    is_multilabel = labels is not None and labels.kind == "multilabel-indicator"
    is_one_target = k == 1 or not (is_multilabel or labels is None)
    names = getattr(estimator, "feature_names_in_", numbered("x", d))
    hidden = hidden_activations(estimator.activation, [coef.shape[1] for coef in estimator.coefs_[:-1]])
    loss = estimator._loss()
    classes = [] if labels is None or is_multilabel else np.asarray(labels.classes).tolist()
    targets = ["y"] if is_one_target else [f"y{i}" for i in range(k)]
    task = Task("regression" if labels is None else TASK_OF[labels.kind], tuple(targets), tuple(classes))
    standardized = task.standardizes(loss)
    configuration = Configuration(
        activations=[*map(keep_activation, hidden), "identity"],
        loss=keep_loss(loss),
        metric="accuracy" if labels is not None else metric_of_values(loss),
        dtype=str(estimator.coefs_[0].dtype),
        task=task.name,
        classes=classes,
        feature_names=[str(name) for name in names],
        named=hasattr(estimator, "feature_names_in_"),
        target_names=targets,
        input_mean=[0.0] * d,
        input_scale=[1.0] * d,
        target_mean=[0.0] * k if standardized else [],
        target_scale=[1.0] * k if standardized else [],
        **{"raw_inputs": False, **seen_entries(getattr(estimator, "_seen", None))},
    )
    return list(zip(estimator.coefs_, estimator.intercepts_, strict=True)), configuration


def load(estimator: Any, path: str | Path) -> Any:
    """Fill a new estimator from a model file, and return it.

    The standardization in the file goes into the weights of the first and the last layer. What training goes
    on from is set where the file has it. Raises ModelFileError for anything but a model file, for a model of
    the other kind of estimator, and for one of columns that are not plain numbers, which an estimator does
    not encode.
    """
    return filled(estimator, path, *read_with_training(path))


def filled(
    estimator: Any, path: str | Path, layers: Layers, c: Configuration, training: object | None
) -> Any:
    """Fill a new estimator from what the file at `path` holds, and return it. Raises as `load`."""
    place = shown(path, None)
    task_in_file(path, layers, c)
    is_regression = c.task == "regression"
    if is_regression != (not hasattr(estimator, "predict_proba")):
        raise ModelFileError(f"{place} holds a model for the task {c.task}: load it by the other estimator.")
    if not encoder_in(c).is_plain:
        columns = [f"{shown(entry['name'])} ({entry['kind']})" for entry in c.encodings]
        about = f": {', '.join(columns[:5])}{' and more' if len(columns) > 5 else ''}" if columns else ""
        raise ModelFileError(
            f"{place} holds a model that encodes its columns itself{about}. An estimator has plain numbers, "
            f"none of them missing. Read it by fuseprop.load, or train it with bins=0 and clip=False."
        )
    coefs, intercepts = ([np.array(array) for array in arrays] for arrays in zip(*layers, strict=True))
    _fold_standardization(coefs, intercepts, c)
    if not all(np.isfinite(array).all() for array in (*coefs, *intercepts)):
        raise ModelFileError(
            f"{place}: its standardization makes weights that {c.dtype} cannot hold. Read it by "
            f"fuseprop.load."
        )
    *activations, last = activations_in(c)
    if not all(each.has_slope for each in activations):
        raise ModelFileError(
            f"{place} holds a network with an activation that has no slope, which no estimator trains. Read "
            f"it by fuseprop.load."
        )
    hidden = [each.name if each.is_built_in else each for each in activations]
    loss = loss_kept(c.loss)
    estimator.set_params(
        hidden_layer_sizes=tuple(len(bias) for bias in intercepts[:-1]),
        activation=hidden[0] if len(set(hidden)) == 1 else (tuple(hidden) or "identity"),
        dtype=c.dtype,
        **({"loss": loss.name if loss.is_built_in else loss} if is_regression else {}),
    )
    estimator.coefs_, estimator.intercepts_ = coefs, intercepts
    estimator.n_features_in_, estimator.n_outputs_ = len(coefs[0]), len(intercepts[-1])
    estimator.n_layers_, estimator.n_iter_, estimator.t_ = len(coefs) + 1, 0, 0
    if c.named:
        estimator.feature_names_in_ = np.array(c.feature_names, dtype=object)
    if not is_regression:
        classes = np.array(c.classes) if c.classes else np.arange(len(intercepts[-1]))
        estimator._labels = Labels(classes, KIND_OF[c.task])
        estimator.classes_ = classes
    if estimator._loss() != loss or last.name != "identity":
        raise ModelFileError(
            f"{place} holds a {c.task} model with the loss {loss} and a last layer of {last}, "
            f"which the estimators do not have. Read it by fuseprop.load."
        )
    estimator.out_activation_ = estimator._out_activation()
    estimator._seen = seen_in(c)
    what, hint = "a file from which training goes on", "Read it by fuseprop.load, or train it again."
    with file_errors_as(ModelFileError, as_path(path, "model.safetensors"), what, hint):
        set_training(estimator, training)
    return estimator


def _fold_standardization(coefs: list[HostArray], intercepts: list[HostArray], c: Configuration) -> None:
    """Change the first and the last layer so that they include the file's standardization.

    Where there is none, as in an estimator's own file, they keep their bits: to add 0 makes 0 of -0.
    """
    mean, scale = np.array(c.input_mean), np.array(c.input_scale)
    with np.errstate(over="ignore", invalid="ignore"):
        if mean.any() or (scale != 1.0).any():
            intercepts[0] = (intercepts[0] - (mean / scale) @ coefs[0]).astype(coefs[0].dtype)
            coefs[0] = (coefs[0] / scale[:, None]).astype(coefs[0].dtype)
        if any(c.target_mean) or any(size != 1.0 for size in c.target_scale):
            coefs[-1] = (coefs[-1] * np.array(c.target_scale)).astype(coefs[-1].dtype)
            intercepts[-1] = (intercepts[-1] * np.array(c.target_scale) + c.target_mean).astype(
                coefs[-1].dtype
            )
