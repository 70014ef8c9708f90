"""The picture of a training: losses, metric, learning rate, gradients by layer, and the decision boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..backend import HostArray
from ..metrics import METRICS
from .figure import Curve, Figure, Panel, Regions

if TYPE_CHECKING:
    from ..callbacks.history import History
    from ..data import Table
    from ..model.model import Model


def training_figure(
    history: History, title: str, model: Model | None = None, table: Table | None = None
) -> Figure:
    """Return the figure of a history; with a model of classes over two features, and rows, its boundary too.

    The loss is in the network's units, those of standardized targets for a regression. What a training does
    not measure has no panel: L-BFGS has neither a metric nor a learning rate.
    """
    epochs = [float(epoch) for epoch in range(1, history.epochs + 1)]
    losses = [Curve("training", epochs, history.train_loss)]
    metrics = [Curve("training", epochs, history.train_metric)]
    if history.validation_loss:
        losses.append(Curve("validation", epochs, history.validation_loss))
        metrics.append(Curve("validation", epochs, history.validation_metric))
    best = history.best_epoch
    if best:
        shown = history.validation_loss or history.train_loss
        losses.append(Curve(f"best (epoch {best})", [float(best)], [shown[best - 1]], points=True))
    positive = all(value > 0 for curve in losses for value in curve.y)
    panels = [Panel("loss", "epoch", "loss (mean over rows)", losses, log_y=positive)]
    if history.metric != "loss" and not np.isnan(history.train_metric).all():
        panels.append(Panel(history.metric, "epoch", METRICS[history.metric].axis, metrics))
    if history.learning_rate:
        rates = Curve("learning rate", epochs, history.learning_rate)
        label = "learning rate (per step)"
        panels.append(Panel("learning rate", "epoch", label, [rates], from_zero=True))
    if history.gradient_norms:
        by_layer = np.transpose(history.gradient_norms)
        curves = [Curve(f"layer {i}", epochs, list(norms)) for i, norms in enumerate(by_layer, 1)]
        label = "||dL/d(W, b)|| (last batch)"
        panels.append(Panel("gradient norm", "epoch", label, curves, log_y=bool((by_layer > 0).all())))
    regions = _regions(model, table)
    if regions is not None and model is not None:
        names = model.feature_names
        panels.append(Panel("decision boundary", f"{names[0]}", f"{names[1]}", regions=regions))
    return Figure(title, panels)


def _regions(model: Model | None, table: Table | None) -> Regions | None:
    """Return the decision regions of a model of exclusive classes over two numbers; None for others."""
    if model is None or table is None or len(model.feature_names) != 2 or not model.task.classes:
        return None
    if any(column.kind != "number" for column in model.encoder.columns):
        return None

    index = {name: i for i, name in enumerate(model.task.classes)}

    def classify(rows: HostArray) -> HostArray:
        return np.array([index[name] for name in model.predict(rows).values.tolist()])

    rows, labels = table.with_features(model.feature_names).X, model.task.encode(table).reshape(-1)
    known = ~np.isnan(rows).any(axis=1)
    if not known.any():
        return None
    points = {str(name): rows[known & (labels == i)] for i, name in enumerate(model.task.classes)}
    return Regions.of(classify, points)
