"""Activations: what a unit makes of its weighted sum, how steeply, and where it saturates."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend, HostArray
from ..layers.dense import Dense
from ..network import Network
from ..plots import Curve, Figure, Panel
from .result import Cell, Result, topic

NAMES = ("step", "sigmoid", "tanh", "relu", "leaky_relu(0.1)")

SUMS = np.arange(-160, 161) / 20
"""From -8 to 8."""

SHOWN = (-4.0, 0.0, 4.0)

FLAT = 0.01
"""A unit is saturated where its slope is below this share of its largest."""

LIMITS = (-1.25, 2.0)


@topic("Activations: step, sigmoid, tanh and ReLU, their slopes, and where they saturate.")
def activations(backend: AnyBackend, seed: int) -> Result:
    """Ask one unit of each activation, with the weight 1 and the bias 0, for its output and its slope."""
    rows: list[tuple[Cell, ...]] = []
    panels, slopes = [], []
    for name in NAMES:
        # Of the absolute error, dL/dy is the same for every output above the target.
        layer = Dense(1, 1, name, weights=[[1.0]])
        unit = Network([layer], "mean_absolute_error", seed=seed, backend=backend)
        values = unit.forward(SUMS[:, None])[:, 0].astype(np.float64)
        shown = [float(values[z == SUMS][0]) for z in SHOWN]
        curves = [Curve("f", SUMS.tolist(), values.tolist())]
        if layer.function.has_slope:
            slope = _slope(unit)
            low, high = _saturated(slope)
            found: tuple[Cell, ...] = (float(slope.max()), low, high)
            title = f"{name}: saturated {_where(low, high)}"
            curves.append(Curve("slope f'", SUMS.tolist(), slope.tolist()))
            slopes.append(Curve(name, SUMS.tolist(), slope.tolist()))
        else:
            found, title = ("none", "everywhere", "everywhere"), f"{name}: no slope"
        rows.append((name, layer.function.text, *shown, *found))
        panels.append(Panel(title, "weighted sum z", "f(z), f'(z)", curves, y_limits=LIMITS))
    panels.append(Panel("the slopes side by side", "weighted sum z", "f'(z)", slopes))
    return Result(
        f"activations and their slopes over z from {SUMS[0]:g} to {SUMS[-1]:g}; saturated: slope below "
        f"{FLAT:.0%} of its largest",
        ("activation", "f(z)", *(f"f({z:g})" for z in SHOWN), "largest slope", "saturated up to", "and from"),
        rows,
        Figure("Activations", panels),
        "A sigmoid and tanh are steep around 0 alone and saturate on both sides, where a unit passes hardly "
        "any gradient on, because the way back multiplies by the slope. ReLU has the slope 1 above 0 and 0 "
        "below, where a leaky one keeps some, and the step is flat everywhere but where it jumps, so that "
        "gradient descent refuses it.",
    )


def _slope(unit: Network) -> HostArray:
    """Return f' at each of the sums: by the chain rule dL/dz = dL/dy f'(z)."""
    trace = unit.trace(SUMS[:, None], np.full((len(SUMS), 1), -10.0))
    return (trace.delta[0][:, 0] / trace.output_gradient[:, 0]).astype(np.float64)


def _saturated(slope: HostArray) -> tuple[Cell, Cell]:
    """Return up to which sum, and from which on, a unit is saturated; "never" where it is not."""
    steep = np.flatnonzero(slope >= FLAT * slope.max())
    first, last = steep[0], steep[-1]
    low: Cell = float(SUMS[first - 1]) if first > 0 else "never"
    high: Cell = float(SUMS[last + 1]) if last < len(SUMS) - 1 else "never"
    return low, high


def _where(low: Cell, high: Cell) -> str:
    ends = (("up to", low), ("from", high))
    return ", ".join(f"{word} {end:g}" for word, end in ends if not isinstance(end, str)) or "nowhere"
