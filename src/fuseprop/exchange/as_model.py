"""A network as a model of a table: the task that its loss says, and columns of numbers as they are."""

from __future__ import annotations

import numpy as np

from ..data.encoder import Encoder
from ..data.scaling import Standardizer
from ..data.table_data import numbered, numbers
from ..data.tasks import Task, is_for_classes
from ..model.model import Model
from ..network import Network
from .errors import NotConvertible


def as_model(network: Network) -> Model:
    """Return a network as a model, which predicts the same of the columns x1, x2, ...

    The task is that of the loss: softmax cross-entropy has exclusive classes 0, 1, ...; another loss of
    classes has the classes 0 and 1 for one output and labels y1, y2, ... for more; all others are
    regressions. Raises NotConvertible for a softmax of one class.
    """
    loss, k = network.stack.loss, network.outputs
    targets = ("y",) if k == 1 or loss.takes_labels else numbered("y", k)
    if loss.takes_labels:
        if k < 2:
            raise NotConvertible(
                "a softmax of one output knows a single class, and a model two. Keep it as a network."
            )
        task = Task("exclusive", targets, tuple(range(k)))
    elif is_for_classes(loss):
        task = Task("binary", targets, (0, 1)) if k == 1 else Task("multi-label", targets)
    else:
        task = Task("regression", targets)
    d = network.inputs
    encoder = Encoder.of_numbers(numbers(numbered("x", d)), Standardizer(np.zeros(d), np.ones(d)))
    undone = Standardizer(np.zeros(k), np.ones(k)) if task.standardizes(loss) else None
    return Model(network, task, encoder, undone, named=False)
