"""A free run: both backends train by `Network.fit` from one start, and nothing is put right in between.

Roundings differ, and training multiplies differences: by how much, the network, the rates and the rows
decide, and for some networks it is exponential in the steps. No bound would be fair to all of them, so a free
run has no verdict: how far the reference itself is from the same run in float64 stands beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import AnyBackend
from ..backend.parity import furthest
from ..training.divergence import DivergenceError
from .cases import Case
from .numbers import eps_of


def free_run(case: Case, backends: list[AnyBackend], steps: int, seed: int) -> dict[str, Any]:
    """Return how far apart the losses by epoch and the weights at the end are, in eps, as plain data.

    `backends` are the verified one, the reference and, where there is one, float64.
    """
    dtype = backends[0].dtype
    X, target, weights = case.data(dtype, seed)
    epochs = -(-steps // case.steps_of_an_epoch)
    losses, values, ends = [], [], []
    for backend in backends:
        network = case.network(backend, seed)
        end = ""
        try:
            history = network.fit(
                X,
                target,
                case.new_optimizer(),
                epochs=epochs,
                batch_size=case.batch_size,
                sample_weight=weights,
            )
            losses.append(np.array(history.train_loss))
        except DivergenceError as error:
            end = str(error)
            losses.append(np.full(epochs, np.nan))
        ends.append(end)
        pairs = network.weights()
        values.append(np.concatenate([array.ravel() for pair in pairs for array in pair]))
    made: dict[str, Any] = {"steps": epochs * case.steps_of_an_epoch, "epochs": epochs}
    if any(ends):
        made["ended"] = ends
    pairs_of = {"between them": (0, 1)}
    if len(backends) > 2:
        pairs_of |= {"verified, from float64": (0, 2), "reference, from float64": (1, 2)}
    for name, (a, b) in pairs_of.items():
        made[name] = {
            "loss_by_epoch": [
                eps_of(furthest(x, y, dtype).excess) for x, y in zip(losses[a], losses[b], strict=True)
            ]
            if epochs
            else [],
            "weights": eps_of(furthest(values[a], values[b], dtype).excess),
        }
    return made
