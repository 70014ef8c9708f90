"""A pass by layer: how large its sums, outputs, deltas and gradients are."""

from __future__ import annotations

import numpy as np

from ..numbers import Backward


def layer_lines(trace: Backward) -> list[str]:
    """Return the loss, and a line a layer: means of absolute values over units and rows, and norms."""
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
    return lines
