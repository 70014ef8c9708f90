"""The decision boundary of a model of classes over two numbers, as a panel of a picture."""

from __future__ import annotations

import numpy as np

from ..backend import HostArray
from ..data import Table
from ..plots.figure import Panel, Regions
from .model import Model


def boundary(model: Model, table: Table) -> list[Panel]:
    """Return a panel with the decision regions of a model, and the rows of a table; none for other models."""
    names = model.feature_names
    if len(names) != 2 or not model.task.classes:
        return []
    if any(column.kind != "number" for column in model.encoder.columns):
        return []
    index = {name: i for i, name in enumerate(model.task.classes)}

    def classify(rows: HostArray) -> HostArray:
        return np.array([index[name] for name in model.predict(rows).values.tolist()])

    rows, labels = table.with_features(names).X, model.task.encode(table).reshape(-1)
    known = ~np.isnan(rows).any(axis=1)
    if not known.any():
        return []
    points = {str(name): rows[known & (labels == i)] for i, name in enumerate(model.task.classes)}
    return [Panel("decision boundary", names[0], names[1], regions=Regions.of(classify, points))]
