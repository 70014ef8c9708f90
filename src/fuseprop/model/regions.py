"""The decision boundary of a model of classes over two numbers, as a panel of a picture."""

from __future__ import annotations

import numpy as np

from ..data import Table
from ..plots import Panel, Regions
from .model import Model


def boundary(model: Model, table: Table) -> list[Panel]:
    """Return a panel with the decision regions of a model, and the rows of a table; none for other models."""
    names = model.feature_names
    if len(names) != 2 or not model.task.classes:
        return []
    if any(column.kind != "number" for column in model.encoder.columns):
        return []
    rows, labels = table.with_features(names).X, model.task.encode(table).reshape(-1)
    known = ~np.isnan(rows).any(axis=1)
    if not known.any():
        return []
    points = {str(name): rows[known & (labels == i)] for i, name in enumerate(model.task.classes)}
    loss = model.network.stack.loss
    if model.task.has_probabilities(loss):
        regions = Regions.of_probabilities(lambda rows: model.predict(rows).probabilities, points)
    else:
        regions = Regions.of_scores(
            lambda rows: model.network.predict(model.encode_inputs(rows)), points, model.task.threshold(loss)
        )
    return [Panel("decision boundary", names[0], names[1], ground=regions)]
