"""The same step in every library: rows, targets, and a network that has learned a little here."""

from typing import NamedTuple

import numpy as np

from fuseprop import MomentumSGD, Network, mlp

EPOCHS, BATCH = 3, 8


class Task(NamedTuple):
    """A loss of fuseprop's, what it is times another library's, and targets for 40 rows.

    `factor` is of the number of outputs; `outputs` how many there are.
    """

    loss: str
    factor: float
    outputs: int
    target: np.ndarray


def tasks():
    """Return a task for each loss that other libraries have, by name."""
    rng = np.random.default_rng(3)
    numbers = rng.normal(size=(40, 2)) * 2
    made = [
        Task("half_squared_error", 2 / 2, 2, numbers),
        Task("mean_squared_error", 1.0, 2, numbers),
        Task("mean_absolute_error", 1.0, 2, numbers),
        Task("huber(1.5)", 1.0, 2, numbers),
        Task("log_cosh", 1.0, 2, numbers),
        Task("sigmoid_cross_entropy", 2.0, 2, (numbers > 0).astype(float)),
        Task("softmax_cross_entropy", 1.0, 3, rng.integers(0, 3, 40)),
        Task("half_poisson_deviance", 2.0, 2, rng.poisson(2.0, (40, 2)).astype(float)),
    ]
    return {task.loss.partition("(")[0]: task for task in made}


def begun(task, rows, dtype="float64", activations=("sigmoid", "relu")):
    """Return a network after a few epochs, so that what other libraries go on from is no start of theirs."""
    layers = mlp([3, 6, 5, task.outputs], list(activations))
    network = Network(layers, task.loss, device="cpu", dtype=dtype, seed=1)
    network.fit(rows, task.target, MomentumSGD(0.05, 0.5), epochs=2, batch_size=BATCH)
    return network


def batches(count):
    """Return the rows of each batch of an epoch, in the order of the rows."""
    return [slice(start, start + BATCH) for start in range(0, count, BATCH)]
