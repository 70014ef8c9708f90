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
    restore_best: bool
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
    """Return the figure of a history, with `more` panels behind its own: see `training_panels`.

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
    return Figure(title, [*training_panels([history]), *more])


def training_panels(histories: Sequence[Epochs]) -> list[Panel]:
    """Return the panels of the histories of one network, or of several that are joined to one.

    The loss is in the network's units, those of standardized targets for a regression. What a training does
    not measure has no panel: L-BFGS has neither a metric nor a learning rate. Of several networks each is a
    faint line, under their mean over the epochs that all of them had.
    """
    first, alone = histories[0], len(histories) == 1
    among = "" if alone else f" of {len(histories)} networks, and their mean"
    losses = _curves(histories, {"training": "train_loss", "validation": "validation_loss"})
    best = first.best_epoch if alone else 0
    if best:
        shown = first.validation_loss or first.train_loss
        kept = "" if first.restore_best or best == first.epochs else ", not kept"
        losses.append(Curve(f"best (epoch {best}{kept})", [float(best)], [shown[best - 1]], points=True))
    positive = all(value > 0 for curve in losses for value in curve.y)
    panels = [Panel(f"loss{among}", "epoch", "loss (mean over rows)", losses, log_y=positive)]
    if first.metric != "loss" and not np.isnan(first.train_metric).all():
        metrics = _curves(histories, {"training": "train_metric", "validation": "validation_metric"})
        panels.append(Panel(f"{first.metric}{among}", "epoch", METRICS[first.metric].axis, metrics))
    if first.learning_rate:
        rates = _curves(histories, {"learning rate": "learning_rate"})
        halved = sorted({each["epoch"] for each in first.halvings if each["epoch"] <= first.epochs})
        if halved and alone:
            after = [first.learning_rate[epoch - 1] for epoch in halved]
            rates.append(Curve("halved", [float(epoch) for epoch in halved], after, points=True))
        label = "learning rate (per step)"
        panels.append(Panel(f"learning rate{among}", "epoch", label, rates, from_zero=True))
    if all(history.gradient_norms for history in histories):
        epochs = min(history.epochs for history in histories)
        by_layer = np.mean([history.gradient_norms[:epochs] for history in histories], axis=0).T
        curves = [Curve(f"layer {i}", _epochs(epochs), norms.tolist()) for i, norms in enumerate(by_layer, 1)]
        label = "||dL/d(W, b)|| (last batch)"
        title = "gradient norm" if alone else f"gradient norm, mean of {len(histories)} networks"
        panels.append(Panel(title, "epoch", label, curves, log_y=bool((by_layer > 0).all())))
    return panels


def _curves(histories: Sequence[Epochs], names: dict[str, str]) -> list[Curve]:
    """Return curves of these attributes by their labels; of several histories faint ones and the mean."""
    curves = []
    for label, name in names.items():
        values: list[list[float]] = [getattr(history, name) for history in histories]
        epochs = min(map(len, values))
        if not epochs:
            continue
        if len(values) > 1:
            curves += [Curve(label, _epochs(len(each)), each, faint=True) for each in values]
        mean = values[0] if len(values) == 1 else np.mean([each[:epochs] for each in values], axis=0).tolist()
        curves.append(Curve(label, _epochs(epochs), mean))
    return curves


def _epochs(count: int) -> list[float]:
    return [float(epoch) for epoch in range(1, count + 1)]
