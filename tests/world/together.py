"""Small trainings that several processes do together, and that one does alone: what each must come to."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fuseprop import Adam, EarlyStopping, MomentumSGD, Network, mlp
from fuseprop.data.datasets import load_dataset


@dataclass(frozen=True)
class Case:
    """A training by `Network.fit`; `make` has a new network and optimizer for each."""

    sizes: list[int]
    loss: str
    activation: str = "tanh"
    optimizer: Any = lambda: MomentumSGD(0.1, 0.6)
    data: str = "digits"
    rows: int | None = None
    weighted: bool = False
    held_out: int = 0  # rows given for validation
    fit: dict[str, Any] = field(default_factory=dict)
    patience: int = 0

    def train(self, world, cuts=None, dtype="float32", seed=5, **more):
        """Return what comes of training in a process of a world; `cuts` says where shares end: see `share_of`."""
        X, target, weights = arrays(self.data, self.rows)
        network = Network(
            mlp(self.sizes, self.activation), self.loss, dtype=dtype, seed=seed + 7 * world.rank
        )
        own = share_of(world, len(X), cuts)
        options = {"epochs": 4, "batch_size": 50, **self.fit, **more}
        if self.held_out:
            some = share_of(world, self.held_out)
            options["validation"] = X[some], target[some], *([weights[some]] if self.weighted else [])
        if self.patience:
            options["callbacks"] = [EarlyStopping(self.patience), *options.get("callbacks", [])]
        history = network.fit(
            X[own],
            target[own],
            self.optimizer(),
            sample_weight=weights[own] if self.weighted else None,
            world=world,
            **options,
        )
        return Outcome(np.concatenate([a.ravel() for pair in network.weights() for a in pair]), history)


@dataclass(frozen=True)
class Outcome:
    """The parameters (P,) and the history of a training."""

    parameters: np.ndarray
    history: Any

    def distance(self, other):
        """Return by how many eps of the dtype parameters and curves differ at most, in float64."""
        eps = np.finfo(self.parameters.dtype).eps
        names = ("train_loss", "train_metric", "validation_loss", "validation_metric")
        pairs = [(self.parameters, other.parameters)]
        pairs += [(getattr(self.history, name), getattr(other.history, name)) for name in names]
        apart = [np.abs(np.subtract(a, b, dtype=np.float64)).max(initial=0.0) for a, b in pairs]
        return max(apart) / eps


CASES = {
    "digits": Case(
        [64, 32, 10], "softmax_cross_entropy", "sigmoid", fit={"batch_size": 32, "validation": 0.2}
    ),
    "adam": Case([64, 16, 10], "softmax_cross_entropy", optimizer=lambda: Adam(0.01), fit={"norms": True}),
    "weights": Case([64, 16, 10], "softmax_cross_entropy", weighted=True, held_out=5),
    "last batch of one row": Case(
        [64, 16, 10],
        "softmax_cross_entropy",
        optimizer=lambda: MomentumSGD(0.1, clip_norm=0.5),
        rows=97,
        fit={"batch_size": 32, "epochs": 9},
    ),
    "batches of two": Case([64, 8, 10], "softmax_cross_entropy", rows=97, fit={"batch_size": 2}),
    "all rows": Case([64, 8, 10], "softmax_cross_entropy", rows=97, fit={"batch_size": 1000, "epochs": 9}),
    "not shuffled": Case([64, 8, 10], "softmax_cross_entropy", rows=97, fit={"shuffle": False}),
    "regression": Case(
        [10, 16, 1],
        "half_squared_error",
        optimizer=lambda: MomentumSGD(0.03, weight_decay=0.01),
        data="diabetes",
        fit={"epochs": 30, "validation": 0.3, "batch_size": 64},
        patience=3,
    ),
    "median": Case(
        [10, 8, 1], "mean_absolute_error", data="diabetes", weighted=True, fit={"validation": 0.3}
    ),
    "binary": Case([64, 8, 1], "sigmoid_cross_entropy", data="even", fit={"validation": 0.2}),
}


def arrays(data, rows=None):
    """Return inputs, targets and weights of some rows of a data set; every seventh weight is 0."""
    table = load_dataset("digits" if data == "even" else data)
    X, target = np.asarray(table.X, float), np.asarray(table.targets)[:, 0]
    X = (X - X.mean(0)) / np.where(X.std(0), X.std(0), 1.0)
    if data == "diabetes":
        target = (target - target.mean()) / target.std()
    elif data == "even":
        target = target % 2
    weights = np.random.default_rng(3).uniform(0, 2, len(X))
    weights[::7] = 0.0
    return X[:rows], target[:rows], weights[:rows]


def share_of(world, count, cuts=None):
    """Return a process's part of `count` rows; `cuts`, numbers from 0 to 1, say where parts end."""
    if cuts is None:
        return world.rows(count)
    ends = np.round(np.array([0.0, *cuts, 1.0]) * count).astype(int)
    return slice(ends[world.rank], ends[world.rank + 1])
