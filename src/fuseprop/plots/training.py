"""The picture of a training: losses, metric, learning rate, gradients by layer, and the decision boundary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ..metrics import METRICS
from .curve import Curve
from .figure import Figure, Panel


class Epochs(Protocol):
    """What is drawn of a history: see `History`, whose attributes these are."""

    metric: str
    best_epoch: int
    train_loss: list[float]
    train_metric: list[float]
    validation_loss: list[float]
    validation_metric: list[float]
    learning_rate: list[float]
    halvings: list[dict[str, Any]]
    gradient_norms: list[list[float]]

    @property
    def epochs(self) -> int:
        """How many epochs there were."""


def training_figure(history: Epochs, title: str, more: Sequence[Panel] = ()) -> Figure:
    """Return the figure of a history, with `more` panels behind its own.

    The loss is in the network's units, those of standardized targets for a regression. What a training does
    not measure has no panel: L-BFGS has neither a metric nor a learning rate.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Network, mlp
    >>> from fuseprop.plots import training_figure
    >>> network = Network(mlp([2, 1]), "half_squared_error", seed=0, device="cpu")
    >>> history = network.fit(np.ones((4, 2)), np.ones(4), epochs=2)
    >>> [panel.y_label for panel in training_figure(history, "two epochs").panels]
    ['loss (mean over rows)', 'R² (share of variance)', 'learning rate (per step)']
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
        rates = [Curve("learning rate", epochs, history.learning_rate)]
        halved = sorted({each["epoch"] for each in history.halvings if each["epoch"] <= history.epochs})
        if halved:
            after = [history.learning_rate[epoch - 1] for epoch in halved]
            rates.append(Curve("halved", [float(epoch) for epoch in halved], after, points=True))
        label = "learning rate (per step)"
        panels.append(Panel("learning rate", "epoch", label, rates, from_zero=True))
    if history.gradient_norms:
        by_layer = np.transpose(history.gradient_norms)
        curves = [Curve(f"layer {i}", epochs, list(norms)) for i, norms in enumerate(by_layer, 1)]
        label = "||dL/d(W, b)|| (last batch)"
        panels.append(Panel("gradient norm", "epoch", label, curves, log_y=bool((by_layer > 0).all())))
    return Figure(title, [*panels, *more])
