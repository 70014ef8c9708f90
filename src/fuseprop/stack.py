"""Stack: layers on top of each other, their parameters, and the loss; forward and backward through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .backend import AnyBackend, Array
from .layers import Dense
from .losses import Loss
from .parameters import Parameters


@dataclass(frozen=True)
class Stack:
    """What is trained. The parameters belong to the backend on which `forward` and `backward` are called."""

    layers: Sequence[Dense]
    loss: Loss
    parameters: Parameters

    def forward(self, backend: AnyBackend, x: Array, outputs: Sequence[Array]) -> Array:
        """Run rows x (n, d) through all layers, into `outputs`; return the last output (n, k)."""
        for layer, p, output in zip(self.layers, self.parameters.layers, outputs, strict=True):
            layer.forward(backend, p, x, output=output)
            x = output
        return x

    def backward(
        self, backend: AnyBackend, x: Array, outputs: Sequence[Array], gradients: Sequence[Array]
    ) -> None:
        """Backpropagate from gradients[-1] = dL/d last output to the gradient of every parameter."""
        for i in reversed(range(len(self.layers))):
            self.layers[i].backward(
                backend,
                self.parameters.layers[i],
                outputs[i - 1] if i else x,
                outputs[i],
                gradients[i],
                input_gradient=gradients[i - 1] if i else None,
            )


def check_chain(layers: Sequence[Dense]) -> None:
    """Raise ValueError unless each layer takes as many inputs as the one before gives outputs."""
    if not layers:
        raise ValueError("a network needs at least one layer, such as Dense(2, 1).")
    for i, layer in enumerate(layers):
        if not isinstance(layer, Dense):
            raise TypeError(f"layers must be Dense, got {type(layer).__name__} at position {i + 1}.")
    for i, (below, above) in enumerate(pairwise(layers), 1):
        if above.inputs != below.outputs:
            raise ValueError(
                f"layer {i + 1} takes {above.inputs} inputs, but layer {i} gives {below.outputs} outputs; "
                f"they must be equal."
            )
