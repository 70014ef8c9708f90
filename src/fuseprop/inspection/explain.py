"""A pass in words: the chain rule with the numbers in it, or a table by layer.

Names count from 1: ``z2.1`` is the weighted sum of unit 1 of layer 2, ``a1.2`` the output of unit 2 of
layer 1, ``w2.31`` the weight of layer 2 from its input 3 to unit 1 (``w2.3,1`` where there are ten or more),
``x1`` the first input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..backend import HostArray
from ..formulas.activations import ACTIVATIONS, slope

if TYPE_CHECKING:
    from .trace import LayerTrace, Trace

PATHS = 100
"""The most paths that `Trace.explain` writes out; of more it gives a table by layer."""

Factors = list[tuple[str, float]]


def paths_text(trace: Trace) -> str:
    """Return every weighted sum, and every derivative with its paths; for a trace of one row."""
    lines = ["forward: z = sum of w * input, plus b; a = f(z)"]
    for number, layer in enumerate(trace.layers, 1):
        f = ACTIVATIONS[layer.activation].formula
        for j, z in enumerate(layer.z[0]):
            terms = [f"{x:.6g} * {w:.6g}" for x, w in zip(layer.x[0], layer.weights[:, j], strict=True)]
            lines.append(
                f"  z{number}.{j + 1} = {' + '.join([*terms, f'{layer.bias[j]:.6g}'])} = {z:.6g}"
                f"    a{number}.{j + 1} = {f.replace('z', f'z{number}.{j + 1}')} = {layer.a[0, j]:.6g}"
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
    f = [] if layer.activation == "identity" else [(f"f'(z{number}.{unit + 1})", _slope(layer, unit))]
    if number == len(trace.layers):
        start = "dL/dz" if layer.activation == "identity" else "dL/da"
        yield [(f"{start}{number}.{unit + 1}", float(trace.output_gradient[0, unit])), *f]
        return
    above = trace.layers[number].weights
    for k in range(above.shape[1]):
        for path in paths(trace, number + 1, k):
            yield [*path, (_weight(number + 1, unit, k, above), float(above[unit, k])), *f]


def layer_table(trace: Trace) -> str:
    """Return a line a layer: how large its sums, outputs, deltas and gradients are."""
    rows = len(trace.target)
    header = f"{'layer':<7}{'inputs':>7}{'units':>7}  {'f':<10}"
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
            f"{number:<7}{d:>7}{m:>7}  {layer.activation:<10}" + "".join(f"{n:>12.4g}" for n in numbers)
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
    return float(slope(layer.activation, layer.a[0, unit]))


def _input(number: int, i: int) -> str:
    return f"x{i + 1}" if number == 1 else f"a{number - 1}.{i + 1}"


def _weight(number: int, i: int, j: int, weights: HostArray) -> str:
    comma = "," if max(weights.shape) > 9 else ""
    return f"w{number}.{i + 1}{comma}{j + 1}"
