"""Stack: layers on top of each other, their parameters, and the loss; forward and backward through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from ..backend import AnyBackend, Array, HostArray
from ..checks.arrays import check_range
from ..checks.quoting import counted
from ..formulas.activation import as_trainable_activation
from ..formulas.kept import keep_activation, keep_loss
from ..formulas.loss import AnyLoss
from .dense import Dense
from .dropout import Dropout
from .parameters import Parameters

Places: TypeAlias = Sequence[Array | None] | None
"""For each layer, a buffer; None for a layer that needs none."""

SUMMARY = ("layer", "inputs", "outputs", "activation", "parameters")
"""The columns of the summary of a network."""


@dataclass(frozen=True)
class Stack:
    """Layers, their parameters and the loss; the parameters belong to the backend that methods are given."""

    layers: Sequence[Dense]
    loss: AnyLoss
    parameters: Parameters
    dropout: Dropout | None = None

    def described(self) -> dict[str, Any]:
        """Return the layers and the loss as plain data."""
        rates = [0.0] * len(self.layers) if self.dropout is None else self.dropout.rates
        return {
            "layers": [[layer.inputs, layer.outputs] for layer in self.layers],
            "activations": [keep_activation(layer.function) for layer in self.layers],
            "dropout": [float(rate) for rate in rates],
            "loss": keep_loss(self.loss),
        }

    def forward(
        self,
        backend: AnyBackend,
        x: Array,
        outputs: Sequence[Array],
        dropped: Places = None,
        sums: Places = None,
    ) -> Array:
        """Run rows x (n, d) through all layers, into `outputs`; return the last output (n, k).

        With `dropped`, dropout writes the outputs that it leaves there, and the next layer reads those. With
        `sums`, layers leave their weighted sums there for `backward`.
        """
        for i, (layer, p, output) in enumerate(
            zip(self.layers, self.parameters.layers, outputs, strict=True)
        ):
            layer.forward(backend, p, x, output=output, sums=sums[i] if sums else None)
            x = output
            place = dropped[i] if dropped else None
            if place is not None and self.dropout is not None:
                self.dropout.apply(backend, i, output, out=place)
                x = place
        return x

    def backward(
        self,
        backend: AnyBackend,
        x: Array,
        outputs: Sequence[Array],
        gradients: Sequence[Array],
        dropped: Places = None,
        sums: Places = None,
    ) -> None:
        """Backpropagate from gradients[-1] = dL/d last output to the gradient of every parameter."""
        for i in reversed(range(len(self.layers))):
            below = gradients[i - 1] if i else None
            place = dropped[i - 1] if dropped and i else None
            taken = outputs[i - 1] if i else x
            self.layers[i].backward(
                backend,
                self.parameters.layers[i],
                taken if place is None else place,
                outputs[i],
                gradients[i],
                sums=sums[i] if sums else None,
                input_gradient=below,
            )
            if place is not None and below is not None and self.dropout is not None:
                self.dropout.apply(backend, i - 1, below, out=below)

    def summary(self) -> str:
        """Return a table: each layer's shape, activation and number of parameters, and their sum."""
        width = max(12, *(len(layer.function.name) for layer in self.layers))
        lines = [
            f"{layer:<7}{inputs:>8}{outputs:>9}  {activation:<{width}}{parameters:>12}"
            for layer, inputs, outputs, activation, parameters in [SUMMARY, *self.by_layer()]
        ]
        return "\n".join([*lines, self.as_a_whole()])

    def by_layer(self) -> list[tuple[int, int, int, str, str]]:
        """Return the rows of the summary; its columns are `SUMMARY`."""
        return [
            (i, layer.inputs, layer.outputs, str(layer.function), f"{layer.parameters:,}")
            for i, layer in enumerate(self.layers, 1)
        ]

    def as_a_whole(self) -> str:
        """Return the last line of the summary: the loss, the number of parameters, and where they are."""
        backend = self.parameters.backend
        return (
            f"loss {self.loss.name}; {self.parameters.count:,} parameters in {backend.dtype} "
            f"on {backend.device} ({backend.name})"
        )


def build_stack(
    backend: AnyBackend, layers: Sequence[Dense], loss: AnyLoss, rng: np.random.Generator
) -> Stack:
    """Return a stack with its starting weights: `rng` draws these first, then the seeds of dropout."""
    parameters = Parameters(backend, [(layer.inputs, layer.outputs) for layer in layers])
    load_weights(parameters, [layer.starting_values(rng) for layer in layers])
    rates = [layer.dropout for layer in layers]
    return Stack(layers, loss, parameters, Dropout(backend, rates, rng) if any(rates) else None)


def load_weights(parameters: Parameters, layers: Sequence[tuple[HostArray, HostArray]]) -> None:
    """Set weights (d, m) and bias (m,) of each layer.

    Raises ValueError, and sets nothing, where a number is too large for the parameters' dtype.
    """
    for i, arrays in enumerate(layers, 1):
        for what, array in zip(("weight matrix", "bias"), arrays, strict=True):
            check_range(f"the {what} of layer {i}", array, parameters.backend.dtype)
    parameters.load(layers)


def check_chain(layers: Sequence[Dense]) -> None:
    """Raise ValueError unless each layer takes the outputs of the one before, and the last has no dropout."""
    if not layers:
        raise ValueError("a network needs at least one layer, such as Dense(2, 1).")
    for i, layer in enumerate(layers):
        if not isinstance(layer, Dense):
            raise TypeError(f"layers must be Dense, got {type(layer).__name__} at position {i + 1}.")
    for i, (below, above) in enumerate(pairwise(layers), 1):
        if above.inputs != below.outputs:
            raise ValueError(
                f"layer {i + 1} takes {counted(above.inputs, 'input')}, but layer {i} gives "
                f"{counted(below.outputs, 'output')}; "
                f"they must be equal."
            )
    if layers[-1].dropout:
        raise ValueError(
            f"the last layer drops a share of {layers[-1].dropout!r} of its outputs, which are the network's "
            f"answers. Give dropout to hidden layers only."
        )


def check_trainable(layers: Sequence[Dense]) -> None:
    """Raise ValueError for layers with an activation without a slope, which gradient descent cannot train."""
    for layer in layers:
        as_trainable_activation(layer.function)


def check_link(loss: AnyLoss, last: Dense) -> None:
    """Raise ValueError for an activation of the last layer in front of a loss that applies its own link."""
    if loss.link != "identity" and not last.function.formula.is_identity:
        raise ValueError(
            f'{loss.name} applies the {loss.link} itself: the last layer must be "identity", '
            f'got "{last.function}". Use "identity", or a squared error with this activation.'
        )
