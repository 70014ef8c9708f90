"""The networks that are trained on both backends, and the rows that they learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, cycle
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..backend import AnyBackend, HostArray
from ..formulas import LOSSES, Loss, as_loss
from ..formulas.activation import trainable_activations
from ..formulas.loss import AnyLoss
from ..layers.dense import Dense, mlp
from ..network import Network
from ..optimizers import Adam, MomentumSGD
from ..schedules import Exponential

OPTIMIZERS = ("momentum", "nesterov", "adam")
"""The updates by name."""

SIZES = ([5, 7, 3], [6, 9, 8, 4], [33, 65, 2], [4, 3, 5, 6, 2])
"""Inputs, hidden layers and outputs of the default networks, which take turns."""

EPSILON = 1e-3
"""Adam's. With 1e-8, the default, it divides a gradient that is nothing but rounding by its own size: right
results may then be as far apart as the learning rate (64-300-10 in float32: 744 eps after one step)."""

AnyOptimizer: TypeAlias = MomentumSGD | Adam


@dataclass(frozen=True)
class Case:
    """A network, how it learns, and how many rows each of its steps has.

    Attributes
    ----------
    name : str
    layers : sequence of Dense
    loss : AnyLoss
    optimizer : str
        One of `OPTIMIZERS`.
    batch_size, steps : int
        `steps` are those that are compared one by one. They make two epochs, whose last batch is a third of
        the others.
    is_weighted : bool
        Whether rows have weights.
    clip_norm : float, optional
    weight_decay : float
    scale : float
        What the rows, which are normal, are multiplied by.
    """

    name: str
    layers: Sequence[Dense]
    loss: AnyLoss
    optimizer: str
    batch_size: int
    steps: int
    is_weighted: bool = False
    clip_norm: float | None = None
    weight_decay: float = 0.0
    scale: float = 1.0

    @property
    def steps_of_an_epoch(self) -> int:
        """Half of the steps, rounded up."""
        return -(-self.steps // 2)

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        full = self.steps_of_an_epoch - 1
        return full * self.batch_size + (-(-self.batch_size // 3) if full else self.batch_size)

    def network(self, backend: AnyBackend, seed: int) -> Network:
        """Return the network, whose starting weights and order of rows depend on the seed alone."""
        return Network(self.layers, self.loss, seed=seed, backend=backend)

    def new_optimizer(self) -> AnyOptimizer:
        """Return an optimizer whose rate falls from epoch to epoch."""
        decay, clip = self.weight_decay, self.clip_norm
        if self.optimizer == "adam":
            return Adam(Exponential(0.01, 0.9), epsilon=EPSILON, weight_decay=decay, clip_norm=clip)
        nesterov = self.optimizer == "nesterov"
        return MomentumSGD(Exponential(0.05, 0.9), 0.6, weight_decay=decay, nesterov=nesterov, clip_norm=clip)

    def data(self, dtype: np.dtype[np.floating], seed: int) -> tuple[HostArray, HostArray, HostArray | None]:
        """Return rows (n, d), targets and weights (n,), numbers that the dtype holds exactly."""
        rng, n, k = np.random.default_rng(seed), self.rows, self.layers[-1].outputs
        X = (self.scale * rng.normal(size=(n, self.layers[0].inputs))).astype(dtype)
        target: HostArray = rng.integers(0, k, n)
        if isinstance(self.loss, Loss):
            target = drawn_targets(rng, self.loss, (n, k)).astype(dtype)
        return X, target, rng.uniform(0.5, 2.0, n).astype(dtype) if self.is_weighted else None


def drawn_targets(rng: np.random.Generator, loss: Loss, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return targets in the interval that a loss takes, some at its ends."""
    ends = [end for end in (loss.low, loss.high) if np.isfinite(end)]
    low = loss.low if np.isfinite(loss.low) else -3.0 if not ends else ends[0] - 3.0
    high = loss.high if np.isfinite(loss.high) else 3.0 if not ends else ends[0] + 3.0
    values = rng.uniform(low, high, shape)
    for end in ends:
        values[rng.uniform(size=shape) < 0.2] = end
    return values


def default_cases(batch_size: int, steps: int) -> Iterator[Case]:
    """Yield networks that together have every built-in activation, loss and update.

    Dropout, clipping, weights of rows and weight decay take turns. The last two are a network without a
    hidden layer, and one wider than a block of any kernel.
    """
    losses, rules, sizes = cycle(LOSSES.values()), cycle(OPTIMIZERS), cycle(SIZES)
    trainable = [family() for family in trainable_activations().values()]
    for i, activation, loss, rule, shape in zip(count(), trainable, losses, rules, sizes, strict=False):
        made = loss()
        ends_with = activation if made.link == "identity" and i % 2 else "identity"
        layers = mlp(shape, activation, output_activation=ends_with, dropout=0.0 if i % 2 else 0.3)
        case = Case(str(activation), layers, made, rule, batch_size, steps)
        yield _named(
            replace(
                case,
                is_weighted=i % 5 in (0, 3),
                clip_norm=0.1 if i % 4 == 1 else None,
                weight_decay=0.1 if i % 3 < 2 else 0.0,
                scale=0.25 if activation.name == "exponential" else 1.0,  # e to the e to the row
            )
        )
    for shape, loss, rule in (
        ([9, 1], LOSSES["sigmoid_cross_entropy"], "momentum"),
        ([64, 300, 10], LOSSES["softmax_cross_entropy"], "adam"),
    ):
        name = "no hidden layer" if len(shape) == 2 else "relu"
        yield _named(Case(name, mlp(shape, "relu"), loss(), rule, batch_size, steps, is_weighted=True))


def own_cases(
    network: Sequence[int] | Network,
    activation: str,
    loss: str | AnyLoss,
    optimizers: Sequence[str],
    batch_size: int,
    steps: int,
) -> Iterator[Case]:
    """Yield a network of one's own, given by its sizes or as it is, with each of these optimizers."""
    if isinstance(network, Network):
        layers: Sequence[Dense] = [
            replace(layer, weights=weights, bias=bias)
            for layer, (weights, bias) in zip(network.layers, network.weights(), strict=True)
        ]
        made: AnyLoss = network.stack.loss
    else:
        layers, made = mlp(network, activation), as_loss(loss)
    for rule in optimizers:
        first = str(layers[0].function) if len(layers) > 1 else "no hidden layer"
        yield _named(Case(first, layers, made, rule, batch_size, steps))


def _named(case: Case) -> Case:
    """Return a case with all that tells it from others in its name."""
    shape = "-".join(str(size) for size in (case.layers[0].inputs, *(each.outputs for each in case.layers)))
    told = [
        *(["dropout"] if any(layer.dropout for layer in case.layers) else []),
        *(["clipped"] if case.clip_norm is not None else []),
        *(["weighted"] if case.is_weighted else []),
        *(["decay"] if case.weight_decay else []),
    ]
    return replace(case, name=", ".join([shape, case.name, str(case.loss), case.optimizer, *told]))
