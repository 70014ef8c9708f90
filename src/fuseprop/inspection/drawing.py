"""The pass of one row through a small network as a picture: every number on its unit or its arrow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backend import HostArray
from ..checks.quoting import counted
from ..plots import Arrow, Diagram, Figure, Panel
from .explanation.names import input_of, slope_factor, unit
from .explanation.output import prediction, start, targets
from .trace import Forward, LayerPass, Trace

UNITS, WEIGHTS = 8, 40
"""The most units of a layer, or inputs, and the most weights in all that are drawn."""

INSTEAD = "print(network.trace(x, t).explain())"


def pass_figure(forward: Forward, after: Trace | None = None, rate: float | None = None) -> Figure:
    """Return the picture of one row's pass: forward; of a trace, backward too; and after a step, if there is.

    Parameters
    ----------
    forward : Forward
    after : Trace, optional
        The same row and target with the weights after one step of gradient descent.
    rate : float, optional
        The learning rate of this step.

    Raises ValueError for another number of rows than one, and for a network that is too large to be read.
    """
    check_drawable(forward.layers)
    panels = [forward_panel(forward)]
    if isinstance(forward, Trace):
        panels.append(backward_panel(forward))
    if after is not None and isinstance(forward, Trace):
        title = f"after w - {rate:g} dL/dw: L = {_figures(after.loss)}, before {_figures(forward.loss)}"
        panels.append(forward_panel(after, title))
    sizes = [forward.layers[0].weights.shape[0], *(len(layer.bias) for layer in forward.layers)]
    return Figure(f"one row through {'-'.join(map(str, sizes))}", panels)


def check_drawable(layers: Sequence[LayerPass]) -> None:
    """Raise ValueError unless the layers of a pass are few and small, and it is of one row."""
    rows = len(layers[0].x)
    if rows != 1:
        raise ValueError(
            f"one row is drawn, with its own numbers, got {counted(rows, 'row')}. Give one of them, such as X[:1]; "
            f"{INSTEAD} averages over rows."
        )
    sizes = [layers[0].weights.shape[0], *(len(layer.bias) for layer in layers)]
    weights = sum(layer.weights.size for layer in layers)
    if max(sizes) > UNITS or weights > WEIGHTS:
        raise ValueError(
            f"a network is drawn with at most {UNITS} inputs or units a layer and {WEIGHTS} weights, so that "
            f"its numbers can be read, got {'-'.join(map(str, sizes))} with {counted(weights, 'weight')}. "
            f"{INSTEAD} writes them out."
        )


def forward_panel(forward: Forward, title: str = "forward: on each arrow its weight w") -> Panel:
    """Return the pass forward: b, z and a of each unit, the weights, and what the loss compares."""
    layers = forward.layers
    columns = [_inputs(layers[0])]
    for number, layer in enumerate(layers, 1):
        columns.append(
            [
                [
                    f"{unit('b', number, j)} = {_figures(layer.bias[j])}",
                    f"{unit('z', number, j)} = {_figures(layer.z[0, j])}",
                    f"{unit('a', number, j)} = {_figures(layer.a[0, j])}",
                ]
                for j in range(len(layer.bias))
            ]
        )
    if forward.loss_function.link != "identity":
        for j, lines in enumerate(columns[-1]):
            lines.append(f"{prediction(forward, j)} = {_figures(forward.prediction[0, j])}")
    arrows = [_arrows(layer.weights) for layer in layers]
    if isinstance(forward, Trace):
        columns.append(_loss(forward))
        arrows.append([Arrow(j, 0, "", 0.0) for j in range(forward.prediction.shape[1])])
    return Panel(title, ground=Diagram.of(columns, arrows, _headings(forward)))


def backward_panel(trace: Trace) -> Panel:
    """Return the pass backward: a, f' and dL/dz of each unit, and dL/dw on the arrows, which point back."""
    columns = [_inputs(trace.layers[0])]
    for number, layer in enumerate(trace.layers, 1):
        columns.append(
            [
                [
                    f"{unit('a', number, j)} = {_figures(layer.a[0, j])}",
                    *(f"{name} = {_figures(value)}" for name, value in slope_factor(layer, number, j)),
                    f"{unit('dL/dz', number, j)} = {unit('dL/db', number, j)}",
                    f"= {_figures(layer.delta[0, j])}",
                ]
                for j in range(len(layer.bias))
            ]
        )
    columns.append(_loss(trace))
    arrows = [_arrows(layer.dW) for layer in trace.layers]
    arrows.append(_arrows(trace.output_gradient.T))
    title = f"backward: on each arrow dL/dw; from the loss dL/d{start(trace)}"
    return Panel(title, ground=Diagram.of(columns, arrows, _headings(trace), backward=True))


def _inputs(layer: LayerPass) -> list[list[str]]:
    return [[f"{input_of(1, i)} = {_figures(x)}"] for i, x in enumerate(layer.x[0])]


def _loss(trace: Trace) -> list[list[str]]:
    wanted = [f"t{j + 1} = {_figures(t)}" for j, t in enumerate(targets(trace)[0])]
    return [[*wanted, f"L = {_figures(trace.loss)}"]]


def _arrows(numbers: HostArray) -> list[Arrow]:
    return [Arrow(i, j, _figures(value), float(value)) for (i, j), value in np.ndenumerate(numbers)]


def _headings(forward: Forward) -> list[str]:
    layers = [f"layer {number}: {layer.activation}" for number, layer in enumerate(forward.layers, 1)]
    return ["inputs", *layers, *(["loss"] if isinstance(forward, Trace) else [])]


def _figures(value: float) -> str:
    return f"{value + 0.0:.4g}"  # + 0.0 makes 0 of -0
