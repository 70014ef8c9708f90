"""The pass of one row through a small network as a picture: every number on its unit or its arrow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backend import HostArray
from ..checks.quoting import counted
from ..layers.dense import Dense
from ..plots import Arrow, Draft, Figure, Panel, lay_out
from .explanation.names import input_of, slope_factor, unit
from .explanation.output import prediction, start, targets
from .numbers import Backward, Forward, LayerPass

UNITS, WEIGHTS, LAYERS = 8, 16, 6
"""The most units, or inputs, and weights of a layer, and the most layers: more numbers cannot be read."""

FORWARD = "forward: on each arrow its weight w"
INSTEAD = "print(network.trace(x, t).explain())"


def pass_figure(forward: Forward, after: Backward | None = None, rate: float | None = None) -> Figure:
    """Return the picture of one row's pass: forward; of a trace, backward too; and after a step, if there is.

    Parameters
    ----------
    forward : Forward or Backward
    after : Backward, optional
        The same row and target with the weights after one step of gradient descent.
    rate : float, optional
        The learning rate of this step.

    Raises ValueError for a network with too many weights; see `check_drawable`, which says how many may be.
    """
    drafts = {FORWARD: forward_draft(forward)}
    if isinstance(forward, Backward):
        drafts[backward_title(forward)] = backward_draft(forward)
        if after is not None:
            title = f"after w - {rate:g} dL/dw: L = {_figures(after.loss)}, before {_figures(forward.loss)}"
            drafts[title] = forward_draft(after)
    sizes = [len(forward.layers[0].weights), *(len(layer.bias) for layer in forward.layers)]
    diagrams = zip(drafts, lay_out(list(drafts.values())), strict=True)
    panels = [Panel(title, ground=diagram) for title, diagram in diagrams]
    return Figure(f"one row through {'-'.join(map(str, sizes))}", panels)


def check_drawable(rows: int, layers: Sequence[Dense]) -> None:
    """Raise ValueError for other numbers of rows than one, and unless the layers are few and small."""
    if rows != 1:
        raise ValueError(
            f"one row is drawn, with its own numbers, got {counted(rows, 'row')}. Give one of them, such as "
            f"X[:1]; {INSTEAD} averages over rows."
        )
    sizes = [layers[0].inputs, *(layer.outputs for layer in layers)]
    weights = max(layer.inputs * layer.outputs for layer in layers)
    if max(sizes) > UNITS or len(layers) > LAYERS or weights > WEIGHTS:
        raise ValueError(
            f"a network is drawn with at most {LAYERS} layers, each of at most {UNITS} inputs or units and "
            f"{WEIGHTS} weights, so that its numbers can be read, got {'-'.join(map(str, sizes))}. "
            f"{INSTEAD} writes them out."
        )


def forward_draft(forward: Forward) -> Draft:
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
    if isinstance(forward, Backward):
        columns.append(_loss(forward))
        arrows.append([Arrow(j, 0, "", 0.0) for j in range(forward.prediction.shape[1])])
    return Draft(columns, arrows, _headings(forward))


def backward_title(trace: Backward) -> str:
    """Return what the arrows of `backward_draft` have on them."""
    return f"backward: on each arrow dL/dw; from the loss dL/d{start(trace)}"


def backward_draft(trace: Backward) -> Draft:
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
    return Draft(columns, arrows, _headings(trace), backward=True)


def _inputs(layer: LayerPass) -> list[list[str]]:
    return [[f"{input_of(1, i)} = {_figures(x)}"] for i, x in enumerate(layer.x[0])]


def _loss(trace: Backward) -> list[list[str]]:
    wanted = [f"t{j + 1} = {_figures(t)}" for j, t in enumerate(targets(trace)[0])]
    return [[*wanted, f"L = {_figures(trace.loss)}"]]


def _arrows(numbers: HostArray) -> list[Arrow]:
    return [Arrow(i, j, _figures(value), float(value)) for (i, j), value in np.ndenumerate(numbers)]


def _headings(forward: Forward) -> list[str]:
    layers = [f"layer {number}: {layer.activation}" for number, layer in enumerate(forward.layers, 1)]
    return ["inputs", *layers, *(["loss"] if isinstance(forward, Backward) else [])]


def _figures(value: float) -> str:
    return f"{value + 0.0:.4g}"  # + 0.0 makes 0 of -0
