"""Which metrics there are, and which one goes with a loss and its targets."""

from __future__ import annotations

from ..backend import HostArray
from ..checks.choices import choose
from ..formulas.loss import AnyLoss
from ..layers.dense import Dense
from ..layers.targets import Targets
from ..world import ALONE, Processes
from .accuracy import ACCURACY
from .explained import D_SQUARED, LOSS_ALONE, R_SQUARED
from .protocol import Kind, Metric

METRICS: dict[str, Kind] = {"accuracy": ACCURACY, "r2": R_SQUARED, "d2": D_SQUARED, "loss": LOSS_ALONE}


def make_metric(
    name: str | None,
    loss: AnyLoss,
    last: Dense,
    targets: Targets,
    weights: HostArray | None,
    world: Processes = ALONE,
) -> Metric:
    """Return the named metric for these targets; None means accuracy for classes, else what fits the loss.

    Several processes call this together, each with targets and weights of its own rows, perhaps none, and get
    the metric for the targets of all.

    Raises ValueError for an unknown name, and for a metric that needs another loss.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Dense
    >>> from fuseprop.formulas import as_loss
    >>> from fuseprop.layers.targets import encode_targets
    >>> from fuseprop.metrics import make_metric
    >>> loss, last = as_loss("half_squared_error"), Dense(2, 1)
    >>> targets = encode_targets(np.array([1.0, 2.0]), loss, last, 2)
    >>> metric = make_metric("r2", loss, last, targets, None)
    """
    if name is None:
        name = "accuracy" if targets.labels is not None else metric_of_values(loss)
    return check_metric(name, loss).make(loss, last, targets, weights, world)


def metric_of_values(loss: AnyLoss) -> str:
    """Return the name of the metric that fits a loss where targets are values rather than classes.

    Examples
    --------
    >>> from fuseprop.formulas import as_loss
    >>> from fuseprop.metrics import metric_of_values
    >>> metric_of_values(as_loss("mean_squared_error"))
    'r2'
    """
    return loss.metric


def check_metric(name: str, loss: AnyLoss) -> Kind:
    """Return the named kind; raise ValueError for an unknown one, and for one that needs another loss.

    Examples
    --------
    >>> from fuseprop.formulas import as_loss
    >>> from fuseprop.metrics import check_metric
    >>> kind = check_metric("accuracy", as_loss("softmax_cross_entropy"))
    """
    kind = choose("metric", name, METRICS)
    if not kind.fits(loss):
        raise ValueError(
            f'metric "{name}" needs {kind.needs}, but the loss is "{loss.name}". '
            f'Use metric "{metric_of_values(loss)}".'
        )
    return kind
