"""The strongest of all paths of one row from the loss to a weight of the first layer."""

from __future__ import annotations

from math import prod

import numpy as np

from ...backend import HostArray
from ...checks.quoting import counted
from ..numbers import Backward
from .names import Factors, figures, input_of, product, product_text, slope_factor, unit, weight
from .output import start


def strongest_lines(trace: Backward) -> list[str]:
    """Return the strongest path as a product, and which share it is of the derivative that it leads to."""
    units = strongest_path(trace)
    if units is None:
        return ["no path from the loss to a weight of layer 1 has a product that is finite and not 0"]
    i, j, *_ = units
    first = trace.layers[0]
    name, total = f"dL/d{weight(1, i, j, first.weights)}", float(first.dW[i, j])
    factors = path_through(trace, units)
    ways = prod(len(layer.bias) for layer in trace.layers[1:])
    part = product(factors)
    share = f"{100 * part / total:.3g}% of " if total else ""
    against = part * (total - part) < 0  # what the others add up to
    others = ", the others of which add up to the opposite direction" if against else ""
    return [
        "the strongest path from the loss to a weight of layer 1, with the largest product of them all:",
        f"  {product_text(factors)}",
        f"  {share}{name} = {figures(total)}, the sum of {counted(ways, 'path')}{others}",
    ]


def path_through(trace: Backward, units: list[int]) -> Factors:
    """Return the factors of a path: `units` are an input (from 0), and then a unit of each layer."""
    i, *through = units
    last = len(trace.layers)
    factors = [
        (unit(f"dL/d{start(trace)}", last, through[-1]), float(trace.output_gradient[0, through[-1]])),
        *slope_factor(trace.layers[-1], last, through[-1]),
    ]
    for number in range(last - 1, 0, -1):
        j, k = through[number - 1], through[number]
        above = trace.layers[number].weights
        factors.append((weight(number + 1, j, k, above), float(above[j, k])))
        factors += slope_factor(trace.layers[number - 1], number, j)
    return [*factors, (input_of(1, i), float(trace.layers[0].x[0, i]))]


def strongest_path(trace: Backward) -> list[int] | None:
    """Return the path with the largest absolute product: an input (from 0), and then a unit of each layer.

    The strongest path to a unit goes on from the strongest one to some unit of the layer above, so that it is
    found layer by layer from the loss, at the cost of a backward pass. Sizes are logarithms: a product of
    many small factors is no 0. None where all products are 0, or some factor is not finite.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = np.log(np.abs(trace.output_gradient[0].astype(np.float64))) + _slopes(trace, -1)
        came_from = []
        for number in range(len(trace.layers) - 1, 0, -1):
            ways = np.log(np.abs(trace.layers[number].weights.astype(np.float64))) + sizes
            came_from.append(ways.argmax(axis=1))
            sizes = ways.max(axis=1) + _slopes(trace, number - 1)
        ends = np.log(np.abs(trace.layers[0].x[0].astype(np.float64)))[:, None] + sizes
    if not np.isfinite(ends.max()):
        return None
    i, j = divmod(int(ends.argmax()), ends.shape[1])
    path = [i, j]
    for choices in reversed(came_from):
        path.append(int(choices[path[-1]]))
    return path


def _slopes(trace: Backward, place: int) -> HostArray:
    """Return log |f'| of each unit of the layer at a place (from 0)."""
    layer = trace.layers[place]
    slopes = [product(slope_factor(layer, 0, j)) for j in range(len(layer.bias))]
    return np.log(np.abs(slopes))
