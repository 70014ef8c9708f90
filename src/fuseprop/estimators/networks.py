"""The network of an estimator: made anew for each `fit`, kept between predictions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..backend import AnyBackend
from ..backend.registry import backend_on, named_device
from ..checks.quoting import counted
from ..formulas.activation import Activation, AnyActivation
from ..formulas.loss import AnyLoss
from ..layers.dense import Dense
from ..layers.dropout import Dropout
from ..layers.parameters import Parameters
from ..layers.stack import Stack, load_weights
from ..training.evaluation import Predictor
from .parameters import hidden_activations

OUTPUT = "identity"
"""The last layer's activation: the loss applies the link."""


@dataclass(frozen=True)
class Architecture:
    """What a network is beside its weights: the shapes (d, m) of its layers, hidden activations, and loss."""

    shapes: tuple[tuple[int, int], ...]
    hidden: tuple[Activation, ...]
    loss: AnyLoss

    @classmethod
    def of(cls, estimator: Any) -> Architecture:
        """Return what the estimator's parameters and the shapes of `coefs_` say now; raises as they do."""
        shapes = tuple(coef.shape for coef in estimator.coefs_)
        hidden = hidden_activations(estimator.activation, [m for _, m in shapes[:-1]])
        return cls(shapes, tuple(hidden), estimator._loss())

    def stack(self, backend: AnyBackend, dropout: Dropout | None = None) -> Stack:
        """Return a network whose parameters are 0."""
        rates = [0.0] * len(self.shapes) if dropout is None else dropout.rates
        activations: list[AnyActivation] = [*self.hidden, OUTPUT]
        layers = [
            Dense(d, m, activation, dropout=rate)
            for (d, m), activation, rate in zip(self.shapes, activations, rates, strict=True)
        ]
        return Stack(layers, self.loss, Parameters(backend, self.shapes), dropout)


def network_of(estimator: Any, backend: AnyBackend, dropout: Dropout | None = None) -> Stack:
    """Return a new network with `coefs_` and `intercepts_` as its parameters."""
    stack = Architecture.of(estimator).stack(backend, dropout)
    _load(estimator, stack)
    return stack


@dataclass(frozen=True, eq=False)
class KeptNetwork:
    """A network that predicts.

    Attributes
    ----------
    key : tuple
        What it is: its device, dtype and architecture.
    stack : Stack
    predict : Predictor
        Returns predictions (n, k) for rows X (n, d).
    """

    key: tuple[str, Any, Architecture]
    stack: Stack
    predict: Predictor

    @property
    def backend(self) -> AnyBackend:
        """What it computes with."""
        return self.stack.parameters.backend


_IDLE: WeakKeyDictionary[Any, list[KeptNetwork]] = WeakKeyDictionary()
"""By estimator, the networks that no call is using.

They stand beside the estimators, not in them: so pickles and copies do not hold them.
"""


@contextmanager
def lent_network(estimator: Any) -> Iterator[KeptNetwork]:
    """Lend a network with the estimator's present weights; no other call, in any thread, has it meanwhile.

    It is one of an earlier call if that had the same device, dtype and architecture. Its weights are loaded
    anyhow, since `coefs_` may have been changed in place. Off the CPU none is kept, for memory is dear there.
    """
    _check_learned(estimator)
    architecture = Architecture.of(estimator)
    dtype = estimator.coefs_[0].dtype
    key = named_device(estimator.device, "cpu"), dtype, architecture
    try:
        idle = _IDLE.setdefault(estimator, [])
    except TypeError:  # a subclass without a hash
        idle = []
    network = _taken(idle, key)
    if network is None:
        backend = backend_on(estimator.device, str(dtype), otherwise="cpu")
        stack = architecture.stack(backend)
        network = KeptNetwork(key, stack, Predictor(backend, stack))
    _load(estimator, network.stack)
    yield network
    if network.backend.device == "cpu":
        idle.append(network)


def _check_learned(estimator: Any) -> None:
    """Raise ValueError where `coefs_` and `intercepts_`, which anyone may replace, are no network's."""
    coefs, intercepts, inputs = estimator.coefs_, estimator.intercepts_, estimator.n_features_in_
    arrays = [*coefs, *intercepts]
    fits = len(coefs) == len(intercepts) > 0 and all(isinstance(each, np.ndarray) for each in arrays)
    if fits:
        kinds = {each.dtype for each in arrays}
        outputs = [bias.shape for bias in intercepts]
        shapes = list(zip([inputs, *(m for m, *_ in outputs)], [m for m, *_ in outputs], strict=False))
        fits = kinds <= {np.dtype(np.float32)} or kinds <= {np.dtype(np.float64)}
        fits = fits and all(len(shape) == 1 for shape in outputs) and [c.shape for c in coefs] == shapes
    if not fits:
        got = [
            f"{each.dtype} {each.shape}" if isinstance(each, np.ndarray) else type(each).__name__
            for each in arrays
        ]
        raise ValueError(
            f"coefs_ and intercepts_ are those of no network with {counted(inputs, 'input')}: expected "
            f"arrays (d, m) and (m,) of float32 or of float64, where each m is the next d, got "
            f"{', '.join(got)}. Set arrays of the shapes that fit left, or fit anew."
        )


def _taken(idle: list[KeptNetwork], key: object) -> KeptNetwork | None:
    """Take out a network that is what the key says, and forget those that are not."""
    while True:
        try:
            network = idle.pop()
        except IndexError:
            return None
        if network.key == key:
            return network


def _load(estimator: Any, stack: Stack) -> None:
    load_weights(stack.parameters, list(zip(estimator.coefs_, estimator.intercepts_, strict=True)))
