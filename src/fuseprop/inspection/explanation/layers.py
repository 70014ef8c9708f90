"""A pass by layer: how large its sums, outputs, deltas and gradients are."""

from __future__ import annotations

import numpy as np

from ..numbers import Backward

COLUMNS = ("layer", "inputs", "units", "f", "mean |z|", "mean |a|", "||delta||", "||dW||", "||db||")
"""Means of absolute values over units and rows, and norms."""


def loss_text(trace: Backward) -> str:
    """Return which loss it was, over how many rows, and L."""
    rows = len(trace.target)
    return f"{trace.loss_name} over {rows} row{'s' * (rows != 1)}: L = {trace.loss:.6g}"


def layer_rows(trace: Backward) -> list[tuple[int, int, int, str, float, float, float, float, float]]:
    """Return a row of these `COLUMNS` for each layer."""
    return [
        (
            number,
            *layer.weights.shape,
            layer.activation,
            float(np.abs(layer.z).mean()),
            float(np.abs(layer.a).mean()),
            float(np.linalg.norm(layer.delta)),
            float(np.linalg.norm(layer.dW)),
            float(np.linalg.norm(layer.db)),
        )
        for number, layer in enumerate(trace.layers, 1)
    ]


def layer_lines(trace: Backward) -> list[str]:
    """Return the loss, and a line a layer."""
    width = max(10, *(len(layer.activation) for layer in trace.layers))
    lines = [loss_text(trace)]
    for number, d, m, f, *numbers in [COLUMNS, *layer_rows(trace)]:
        sizes = [n if isinstance(n, str) else f"{n:.4g}" for n in numbers]
        lines.append(f"{number:<7}{d:>7}{m:>7}  {f:<{width}}" + "".join(f"{size:>12}" for size in sizes))
    return lines
