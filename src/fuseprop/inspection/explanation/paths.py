"""The chain rule of one row: each derivative as the sum of the products along its paths from the loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..numbers import Backward
from .names import Factors, figures, formula_at, input_of, product_text, slope_factor, unit, weight
from .output import loss_lines, start


def path_lines(trace: Backward) -> list[str]:
    """Return every weighted sum, what the loss sends back, and every derivative with its paths."""
    lines = [*_forward_lines(trace), *loss_lines(trace)]
    lines.append("backward: dL/dw = the sum over all paths from the loss to w, each a product")
    for number in range(len(trace.layers), 0, -1):
        layer = trace.layers[number - 1]
        for j in range(len(layer.bias)):
            ways = list(paths(trace, number, j))
            for i, x in enumerate(layer.x[0]):
                through = [[*way, (input_of(number, i), float(x))] for way in ways]
                lines += _derivative(weight(number, i, j, layer.weights), through, float(layer.dW[i, j]))
            lines += _derivative(unit("b", number, j), ways, float(layer.db[j]))
    return lines


def paths(trace: Backward, number: int, j: int) -> Iterator[Factors]:
    """Yield each path from the loss to z of unit j (from 0) of a layer (from 1), as its named factors.

    For a trace of one row; the sum over the paths of the products of their factors is delta.
    """
    layer = trace.layers[number - 1]
    slope = slope_factor(layer, number, j)
    if number == len(trace.layers):
        yield [(unit(f"dL/d{start(trace)}", number, j), float(trace.output_gradient[0, j])), *slope]
        return
    above = trace.layers[number].weights
    for k in range(above.shape[1]):
        for path in paths(trace, number + 1, k):
            yield [*path, (weight(number + 1, j, k, above), float(above[j, k])), *slope]


def _forward_lines(trace: Backward) -> list[str]:
    lines = ["forward: z = sum of w * input, plus b; a = f(z)"]
    for number, layer in enumerate(trace.layers, 1):
        for j, z in enumerate(layer.z[0]):
            terms = [
                f"{figures(x)} * {figures(w)}" for x, w in zip(layer.x[0], layer.weights[:, j], strict=True)
            ]
            name = unit("z", number, j)
            lines.append(
                f"  {name} = {' + '.join([*terms, figures(layer.bias[j])])} = {figures(z)}"
                f"    {unit('a', number, j)} = {formula_at(layer.function.text, name)} = "
                f"{figures(layer.a[0, j])}"
            )
    return lines


def _derivative(name: str, ways: Sequence[Factors], total: float) -> list[str]:
    if len(ways) == 1:
        return [f"  dL/d{name} = {product_text(ways[0])}"]
    lines = [f"  dL/d{name} = {figures(total)}, the sum of {len(ways)} paths:"]
    return [*lines, *(f"      {product_text(way)}" for way in ways)]
