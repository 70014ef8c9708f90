"""Every number of one forward and backward pass, on the host, and the same in words.

In words, the chain rule is written with the numbers in it, or as a table by layer. Names count from 1:
``z2.1`` is the weighted sum of unit 1 of layer 2, ``a1.2`` the output of unit 2 of layer 1, ``w2.31`` the
weight of layer 2 from its input 3 to unit 1 (``w2.3,1`` where there are ten or more), ``x1`` the first input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..backend import AnyBackend, HostArray
from ..formulas.activation import Activation, slope
from ..layers.stack import Stack
from ..training.step import Batch

PATHS = 100
"""The most paths that `Trace.explain` writes out; of more it gives a table by layer."""

Factors = list[tuple[str, float]]

_Z = re.compile(r"\bz\b")


@dataclass(frozen=True)
class LayerTrace:
    """What one layer of m units over d inputs computed from n rows; all in the backend's dtype.

    Attributes
    ----------
    function : Activation
        f.
    weights, bias : (d, m), (m,)
        W and b, as they were in the pass.
    x, z, a : (n, d), (n, m), (n, m)
        Input, weighted sum z = x W + b, and output a = f(z).
    delta : (n, m)
        dL/dz.
    dW, db : (d, m), (m,)
        dL/dW = x^T delta and dL/db, the sum of delta over the rows.
    """

    function: Activation
    weights: HostArray
    bias: HostArray
    x: HostArray
    z: HostArray
    a: HostArray
    delta: HostArray
    dW: HostArray  # noqa: N815 (the field's name)
    db: HostArray

    @property
    def activation(self) -> str:
        """The name of f."""
        return self.function.name


@dataclass(frozen=True)
class Trace:
    """One pass through a network, forward and backward.

    Attributes
    ----------
    layers : list of LayerTrace
        First layer first; `z`, `a`, `delta`, `dW` and `db` are lists of theirs.
    loss : float
        L, the weighted mean over the rows.
    loss_name : str
        The loss's name.
    link : "identity" | "sigmoid" | "softmax" | "exponential"
        What the loss applies to the last layer's output; see `fuseprop.formulas.losses`.
    target : (n, k), or (n,) class numbers
        What the loss compared with.
    output_gradient : (n, k)
        dL/da of the last layer, where the backward pass begins.
    """

    layers: list[LayerTrace]
    loss: float
    loss_name: str
    link: str
    target: HostArray
    output_gradient: HostArray

    @property
    def z(self) -> list[HostArray]:
        """Weighted sums, (n, m) a layer."""
        return [layer.z for layer in self.layers]

    @property
    def a(self) -> list[HostArray]:
        """Outputs, (n, m) a layer."""
        return [layer.a for layer in self.layers]

    @property
    def delta(self) -> list[HostArray]:
        """dL/dz, (n, m) a layer."""
        return [layer.delta for layer in self.layers]

    @property
    def dW(self) -> list[HostArray]:  # noqa: N802 (the field's name)
        """dL/dW, (d, m) a layer."""
        return [layer.dW for layer in self.layers]

    @property
    def db(self) -> list[HostArray]:
        """dL/db, (m,) a layer."""
        return [layer.db for layer in self.layers]

    def explain(self, paths: int = PATHS) -> str:
        """Return the pass in words and numbers.

        For one row through a network with at most `paths` paths from the loss to weights and biases: each
        weighted sum, and each derivative as the sum of the products along its paths. Otherwise a table with
        a line a layer.
        """
        return paths_text(self) if 0 < self.paths <= paths else layer_table(self)

    @property
    def paths(self) -> int:
        """How many paths lead from the loss to a weight or a bias, counted for one row; 0 for more rows."""
        count, ways = 0, 1
        for layer in reversed(self.layers):
            count += ways * layer.weights.size + ways * layer.bias.size
            ways *= len(layer.bias)
        return count if len(self.target) == 1 else 0


def trace_pass(backend: AnyBackend, stack: Stack, batch: Batch, loss: float) -> Trace:
    """Return the trace of a pass from the buffers of its `batch`; `loss` is the loss that it returned.

    dL/da of the last layer is computed again, by the loss: a pass overwrites it. What is too large for
    the dtype is inf here as in the pass.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _traced(backend, stack, batch, loss)


def _traced(backend: AnyBackend, stack: Stack, batch: Batch, loss: float) -> Trace:
    x, layers, parameters = batch.x, [], stack.parameters
    weights, gradients = parameters.unpack(parameters.values), parameters.unpack(parameters.gradients)
    for i, layer in enumerate(stack.layers):
        z = batch.sums[i]
        assert z is not None
        layers.append(
            LayerTrace(
                layer.function,
                *weights[i],
                backend.to_host(x),
                backend.to_host(z),
                backend.to_host(batch.outputs[i]),
                backend.to_host(batch.gradients[i]),
                *gradients[i],
            )
        )
        x = batch.outputs[i]
    start = backend.empty(x.shape)
    losses = backend.empty((batch.rows,))
    stack.loss.apply(backend, x, batch.target, batch.row_weights, losses=losses, gradient=start)
    return Trace(
        layers,
        loss,
        stack.loss.name,
        stack.loss.link,
        backend.to_host(batch.target),
        backend.to_host(start),
    )


def paths_text(trace: Trace) -> str:
    """Return every weighted sum, and every derivative with its paths; for a trace of one row."""
    lines = ["forward: z = sum of w * input, plus b; a = f(z)"]
    for number, layer in enumerate(trace.layers, 1):
        f = layer.function.text
        for j, z in enumerate(layer.z[0]):
            terms = [f"{x:.6g} * {w:.6g}" for x, w in zip(layer.x[0], layer.weights[:, j], strict=True)]
            lines.append(
                f"  z{number}.{j + 1} = {' + '.join([*terms, f'{layer.bias[j]:.6g}'])} = {z:.6g}"
                f"    a{number}.{j + 1} = {_Z.sub(f'z{number}.{j + 1}', f)} = {layer.a[0, j]:.6g}"
            )
    target = np.ravel(trace.target).tolist()
    through = "" if trace.link == "identity" else f" of {trace.link}(z)"
    lines.append(f"loss: {trace.loss_name}{through}, target {target}: L = {trace.loss:.6g}")
    lines.append("backward: dL/dw = the sum over all paths from the loss to w, each a product")
    for number in range(len(trace.layers), 0, -1):
        layer = trace.layers[number - 1]
        for j in range(len(layer.bias)):
            for i in range(len(layer.x[0])):
                name = _weight(number, i, j, layer.weights)
                last = (_input(number, i), float(layer.x[0, i]))
                lines += _derivative(name, list(paths(trace, number, j)), last, float(layer.dW[i, j]))
            lines += _derivative(
                f"b{number}.{j + 1}", list(paths(trace, number, j)), None, float(layer.db[j])
            )
    return "\n".join(lines)


def paths(trace: Trace, number: int, unit: int) -> Iterator[Factors]:
    """Yield each path from the loss to z of a unit (from 0) of a layer (from 1), as its named factors.

    For a trace of one row; the sum over the paths of the products of their factors is delta.
    """
    layer = trace.layers[number - 1]
    # Behind an identity, z is the output: its slope of 1 is left out.
    f = [] if layer.function.formula.is_identity else [(f"f'(z{number}.{unit + 1})", _slope(layer, unit))]
    if number == len(trace.layers):
        start = "dL/dz" if layer.function.formula.is_identity else "dL/da"
        yield [(f"{start}{number}.{unit + 1}", float(trace.output_gradient[0, unit])), *f]
        return
    above = trace.layers[number].weights
    for k in range(above.shape[1]):
        for path in paths(trace, number + 1, k):
            yield [*path, (_weight(number + 1, unit, k, above), float(above[unit, k])), *f]


def layer_table(trace: Trace) -> str:
    """Return a line a layer: how large its sums, outputs, deltas and gradients are."""
    rows = len(trace.target)
    width = max(10, *(len(layer.activation) for layer in trace.layers))
    header = f"{'layer':<7}{'inputs':>7}{'units':>7}  {'f':<{width}}"
    header += "".join(f"{name:>12}" for name in ("mean |z|", "mean |a|", "||delta||", "||dW||", "||db||"))
    lines = [f"{trace.loss_name} over {rows} row{'s' * (rows != 1)}: L = {trace.loss:.6g}", header]
    for number, layer in enumerate(trace.layers, 1):
        numbers = [
            np.abs(layer.z).mean(),
            np.abs(layer.a).mean(),
            *(np.linalg.norm(array) for array in (layer.delta, layer.dW, layer.db)),
        ]
        d, m = layer.weights.shape
        lines.append(
            f"{number:<7}{d:>7}{m:>7}  {layer.activation:<{width}}" + "".join(f"{n:>12.4g}" for n in numbers)
        )
    return "\n".join(lines)


def _derivative(name: str, ways: list[Factors], last: tuple[str, float] | None, total: float) -> list[str]:
    ways = [[*way, *([last] if last else [])] for way in ways]
    lines = []
    for way in ways:
        names = " * ".join(factor for factor, _ in way)
        numbers = " * ".join(f"{number:.6g}" for _, number in way)
        product = float(np.prod([number for _, number in way]))
        result = f" = {product:.6g}" if len(way) > 1 else ""
        head = f"  dL/d{name} = " if len(ways) == 1 else "      "
        lines.append(f"{head}{names} = {numbers}{result}")
    if len(ways) > 1:
        lines.insert(0, f"  dL/d{name} = {total:.6g}, the sum of {len(ways)} paths:")
    return lines


def _slope(layer: LayerTrace, unit: int) -> float:
    point = layer.z if layer.function.formula.slope_of == "z" else layer.a
    return float(slope(layer.function, point[0, unit]))


def _input(number: int, i: int) -> str:
    return f"x{i + 1}" if number == 1 else f"a{number - 1}.{i + 1}"


def _weight(number: int, i: int, j: int, weights: HostArray) -> str:
    comma = "," if max(weights.shape) > 9 else ""
    return f"w{number}.{i + 1}{comma}{j + 1}"
