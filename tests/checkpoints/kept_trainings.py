"""Trainings whose checkpoints are kept: small ones, of each kind of thing that a checkpoint holds.

Rows are fractions of small powers of two, computed without a random generator: they are the same everywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fuseprop import Adam, Checkpoint, EarlyStopping, History, MomentumSGD, Network, mlp
from fuseprop.backend.registry import load_backend
from fuseprop.callbacks import LearningRate
from fuseprop.optimizers import Optimizer
from fuseprop.schedules import Exponential

NUMBERS = np.arange(24)
X = ((NUMBERS[:, None] * [7, 5, 11] + NUMBERS[:, None] ** 2 % [13, 17, 19]) % 23 - 11.0) / 8
LABELS = (X.sum(axis=1) > 0) + (X[:, 0] > 0.5).astype(np.int64)
VALUES = X[:, :1] * X[:, 1:2] / 2 - X[:, 2:]
WEIGHTS = 0.5 + NUMBERS % 4 / 4


@dataclass(frozen=True)
class Training:
    """A training that is stopped behind so many steps, and goes on to its end.

    Attributes
    ----------
    optimizer : callable
        Makes one.
    stops_after : int
        Looks between steps, and behind epochs, at which it goes on.
    is_within : bool
        Whether it is stopped within an epoch.
    callbacks : callable
        Makes those of an optimizer.
    options : dict
        Of `Network.fit`.
    """

    optimizer: Callable[[], Optimizer]
    stops_after: int
    is_within: bool
    dtype: str = "float32"
    values: bool = False
    dropout: float = 0.0
    callbacks: Callable[[Any], list[Any]] = lambda optimizer: []
    options: dict[str, Any] = field(default_factory=dict)

    def network(self, **device: Any) -> Network:
        """Make the network, by default on the CPU, with the weights of a seed."""
        if not device:
            device = {"backend": load_backend("cpu", self.dtype)}
        sizes, loss = (
            ([3, 4, 1], "mean_squared_error") if self.values else ([3, 4, 3], "softmax_cross_entropy")
        )
        return Network(mlp(sizes, "tanh", dropout=self.dropout), loss, seed=3, **device)

    def fit(self, network: Network, *, more: Sequence[Any] = (), **how: Any) -> History:
        """Train a network, or let its training go on."""
        optimizer = how.pop("optimizer", None) or self.optimizer()
        target = VALUES if self.values else LABELS
        callbacks = [*self.callbacks(optimizer), *more]
        options = {"epochs": 6, "batch_size": 8, **self.options, **how}
        return network.fit(X, target, optimizer, callbacks=callbacks, **options)

    def stop(self, network: Network, path: Any) -> History:
        """Train a network until it is stopped, with a checkpoint there."""
        return self.fit(network, more=[StopsAfter(self.stops_after)], checkpoint=Checkpoint(path, "1 step"))


class StopsAfter:
    """A callback that asks for the end of training when it has been asked so often."""

    def __init__(self, times: int) -> None:
        self._left = times

    def start(self, epochs: int, history: History) -> None:
        """Do nothing."""

    def epoch_end(self, history: History) -> None:
        """Do nothing."""

    def end(self, history: History) -> None:
        """Do nothing."""

    def asks_to_stop(self) -> str | None:
        """Count down."""
        self._left -= 1
        return None if self._left > 0 else "time is up"


HELD_OUT = {"validation": (X[::3], LABELS[::3])}
# A batch has 8 of 24 rows: an epoch is looked at behind its first and second step, and behind itself.
TRAININGS = {
    "momentum_within": Training(lambda: MomentumSGD(0.2, 0.9), 5, is_within=True),
    "momentum_behind": Training(lambda: MomentumSGD(0.2, 0.9), 6, is_within=False),
    "nesterov_within": Training(
        lambda: MomentumSGD(0.1, 0.8, weight_decay=0.01, nesterov=True, clip_norm=0.5),
        7,
        is_within=True,
        dtype="float64",
        values=True,
        options={"norms": True, "sample_weight": WEIGHTS, "shuffle": False},
    ),
    "adam_within": Training(lambda: Adam(0.03), 4, is_within=True, dropout=0.25, options=HELD_OUT),
    "adam_behind": Training(
        lambda: Adam(0.3),
        9,
        is_within=False,
        dtype="float64",
        dropout=0.25,
        callbacks=lambda optimizer: [EarlyStopping(2)],
        options={"validation": 0.25, "epochs": 20, "batch_size": 6},
    ),
    "schedules_behind": Training(
        lambda: MomentumSGD(Exponential(0.2, 0.9)),
        3,
        is_within=False,
        values=True,
        callbacks=lambda optimizer: [LearningRate(optimizer, Exponential(0.3, 0.8)), EarlyStopping(9)],
    ),
}
"""By name: optimizer, and whether the checkpoint is within an epoch or behind one."""
