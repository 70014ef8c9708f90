"""Dense: every unit weighs every input, adds a bias and is activated.

A layer holds its sizes and settings, and no arrays of a backend: parameters and buffers are arguments of its
methods, so that the same layers run on any backend, called or recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..backend import AnyBackend, Array, HostArray
from ..checks.arrays import as_host
from ..checks.choices import choose
from ..checks.quoting import counted, quoted
from ..checks.settings import as_list, is_finite_number
from ..formulas.activation import Activation, AnyActivation, as_activation
from .initialization import INITIALIZERS, Initializer
from .parameters import LayerParameters


@dataclass(frozen=True, eq=False)
class Dense:
    """A dense layer of m units over d inputs: output = f(input W + b).

    Parameters
    ----------
    inputs, outputs : int
        d and m, at least 1.
    activation : str or Activation
        f: a name in `fuseprop.formulas.ACTIVATIONS`, such as "relu" or "leaky_relu(0.2)", or an `Activation`
        of one's own. In front of a cross-entropy loss the last layer is "identity": the loss applies its own
        link. A network with a "step", which has no slope, predicts, but gradient descent cannot train it: see
        `fuseprop.GeneticSearch`.
    initializer : "glorot" | "he" | "uniform" | "zeros" | callable, optional
        How the starting weights are drawn; "he" for relu and "glorot" otherwise. See
        `fuseprop.layers.initialization`. Biases start at zero.
    weights, bias : array_like, optional
        Starting values (d, m) and (m,) instead of drawn ones.
    dropout : float
        For a hidden layer, the share of its outputs that a training step leaves out, at random, in [0, 1):
        see `Backend.dropout`. Predictions do not use it, and model files do not keep it.

    Raises ValueError for sizes below 1, unknown names and arrays of another shape or not finite; TypeError
    for arrays that hold no numbers.

    Examples
    --------
    >>> from fuseprop import Dense, Network
    >>> layers = [Dense(4, 16, "tanh"), Dense(16, 1)]
    >>> network = Network(layers, "half_squared_error", seed=0, device="cpu")
    """

    inputs: int
    outputs: int
    activation: AnyActivation = "sigmoid"
    initializer: str | Initializer | None = field(default=None, kw_only=True)
    weights: ArrayLike | None = field(default=None, kw_only=True)
    bias: ArrayLike | None = field(default=None, kw_only=True)
    dropout: float = field(default=0.0, kw_only=True)
    function: Activation = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for what, size in (("inputs", self.inputs), ("outputs", self.outputs)):
            if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
                raise ValueError(f"a dense layer needs {what} of at least 1, got {quoted(size)}.")
        function = as_activation(self.activation)
        object.__setattr__(self, "function", function)
        given_by_name = isinstance(self.activation, str)
        object.__setattr__(self, "activation", function.name if given_by_name else function)
        if self.initializer is not None and not callable(self.initializer):
            choose("initializer", self.initializer, INITIALIZERS)
        _explicit("weights", self.weights, (self.inputs, self.outputs))
        _explicit("bias", self.bias, (self.outputs,))
        check_dropout(self.dropout)

    @property
    def parameters(self) -> int:
        """How many weights and biases there are: (d + 1) m."""
        return (self.inputs + 1) * self.outputs

    def starting_values(self, rng: np.random.Generator) -> tuple[HostArray, HostArray]:
        """Return weights (d, m) and bias (m,) in float64: the explicit ones, or drawn from `rng`."""
        shape = (self.inputs, self.outputs)
        weights = _explicit("weights", self.weights, shape)
        if weights is None:
            initializer = self.initializer or ("he" if self.function.name == "relu" else "glorot")
            draw = INITIALIZERS[initializer] if isinstance(initializer, str) else initializer
            try:
                drawn = draw(rng, *shape)
            except TypeError as error:
                raise TypeError(
                    f"the initializer {initializer!r:.100} could not draw weights: {error}. It is called "
                    f"with a numpy.random.Generator, inputs and outputs, and returns weights of that shape."
                ) from error
            weights = _explicit("the initializer's weights", drawn, shape)
        bias = _explicit("bias", self.bias, (self.outputs,))
        assert weights is not None
        return weights, np.zeros(self.outputs) if bias is None else bias

    @property
    def keeps_sums(self) -> bool:
        """Whether the backward pass needs the weighted sums z, because f' cannot be told from the output."""
        return self.function.formula.slope_of == "z"

    def forward(
        self,
        backend: AnyBackend,
        p: LayerParameters,
        x: Array,
        *,
        output: Array,
        sums: Array | None = None,
    ) -> None:
        """output = f(z), z = x W + b; x (n, d), output (n, m). With `sums` (n, m), z is left there."""
        backend.matmul(x, p.weights, out=output)
        if sums is None:
            backend.bias_activation(output, p.bias, self.function.formula, out=output)
        else:
            backend.bias_activation(output, p.bias, self.function.formula, out=output, kept=sums)

    def backward(
        self,
        backend: AnyBackend,
        p: LayerParameters,
        x: Array,
        output: Array,
        gradient: Array,
        *,
        sums: Array | None = None,
        input_gradient: Array | None,
    ) -> None:
        """Turn dL/d output into dL/dW, dL/db and dL/dx, by the chain rule.

        With delta = dL/dz = gradient * f'(z)::

            dL/db = sum of delta over the rows      dL/dW = x^T delta      dL/dx = delta W^T

        gradient (n, m) holds dL/d output and is overwritten by delta; input_gradient (n, d) receives dL/dx,
        or is None for the first layer, whose inputs need no gradient. `sums` holds z; it is needed where
        `keeps_sums`.
        """
        delta = gradient
        point = sums if self.keeps_sums and sums is not None else output
        backend.activation_backward(
            gradient, point, self.function.formula, out=delta, bias_gradient=p.bias_gradient
        )
        backend.matmul(x.T, delta, out=p.weight_gradients)
        if input_gradient is not None:
            backend.matmul(delta, p.weights.T, out=input_gradient)


def check_dropout(rate: object) -> None:
    """Raise ValueError for what is no number of at least 0 and below 1."""
    if not (is_finite_number(rate) and 0 <= rate < 1):  # type: ignore[operator]
        raise ValueError(f"dropout must be at least 0 and below 1, got {rate!r:.60}.")


def mlp(
    sizes: Sequence[int],
    activation: AnyActivation | Sequence[AnyActivation] = "sigmoid",
    *,
    output_activation: AnyActivation = "identity",
    initializer: str | Initializer | None = None,
    dropout: float | Sequence[float] = 0.0,
) -> list[Dense]:
    """Return the layers of a multilayer perceptron.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden sizes, outputs: ``[64, 32, 10]`` has one hidden layer of 32 units.
    activation : str or Activation, or one a hidden layer
        The activation of the hidden layers.
    output_activation, initializer
        See `Dense`.
    dropout : float, or one a hidden layer
        The share of each hidden layer's outputs that a training step leaves out: see `Dense`.

    Raises TypeError for what is no sequence, ValueError for fewer than two sizes, another number of entries
    than there are hidden layers, and as `Dense`.

    Examples
    --------
    >>> from fuseprop import mlp
    >>> [(layer.inputs, layer.outputs, str(layer.activation)) for layer in mlp([4, 16, 1], "relu")]
    [(4, 16, 'relu'), (16, 1, 'identity')]
    """
    sizes = as_list("sizes", sizes, "[64, 32, 10], which are inputs, hidden sizes and outputs")
    if len(sizes) < 2:
        raise ValueError(f"sizes must hold at least inputs and outputs, such as [64, 32, 10], got {sizes}.")
    hidden = len(sizes) - 2
    names, rates = _one_a_layer(activation, hidden), _one_a_layer(dropout, hidden)
    for what, entries in (("activation", names), ("dropout", rates)):
        if len(entries) != hidden:
            raise ValueError(
                f"{what} has {counted(len(entries), 'entry', 'entries')} for "
                f"{counted(hidden, 'hidden layer')} (sizes {sizes}); "
                f"give one for all or exactly {hidden}."
            )
    return [
        Dense(d, m, f, initializer=initializer, dropout=rate)
        for d, m, f, rate in zip(sizes, sizes[1:], [*names, output_activation], [*rates, 0.0], strict=False)
    ]


def _one_a_layer(given: Any, layers: int) -> list[Any]:
    """Return one entry for each layer: those of a sequence, or what was given for every layer."""
    is_one = isinstance(given, str) or not isinstance(given, Iterable) or getattr(given, "shape", None) == ()
    return [given] * layers if is_one else list(given)


def _explicit(what: str, values: ArrayLike | None, shape: tuple[int, ...]) -> HostArray | None:
    if values is None:
        return None
    array = as_host(what, values).astype(np.float64)
    if array.shape != shape:
        raise ValueError(f"{what} must have shape {shape}, (inputs, outputs) order, got {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} must be finite, got nan or inf.")
    return array
