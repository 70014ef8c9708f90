"""Backpropagation as averaged nudges: what each row wants of the outputs, and how that adds up to gradients.

The nudge of a row to an output is -dl/dz, with l the loss of that row: up where it is positive. A row counts
in the gradient by its share of the loss, 1/n or by its weight: dL/db is the sum over the rows of share *
dl/dz, and dL/dw that of share * dl/dz * input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...backend import HostArray
from ..numbers import Backward
from .names import figures, input_of, unit, weight
from .output import OUTPUTS, prediction, signal, start

GROUPS = 10
"""So many groups of rows have a line of their own, those with the most rows; one line more has all others."""

ROWS = 5
"""So many rows of the sum that is a gradient are written out, those with the largest parts of it."""


@dataclass(frozen=True)
class Nudges:
    """What a group of rows wants of each of k outputs.

    Attributes
    ----------
    name : str
        Which rows they are.
    rows : int
        How many.
    share : float
        How much they count in the loss together.
    mean : (k,)
        Their mean nudge, each row counted by its share.
    """

    name: str
    rows: int
    share: float
    mean: HostArray


def nudge_lines(trace: Backward) -> list[str]:
    """Return what the rows want of each output, in a table, and the strongest gradient of a weight."""
    last = len(trace.layers)
    lesson = f"dl/d{start(trace)} = {signal(trace, prediction(trace), 't', 'z')}"
    if start(trace) == "a":
        lesson += ", dl/dz = dl/da * f'(z)"
    silent = int((trace.shares == 0).sum())
    return [
        f"nudges: a row wants z{last} of each output up where -dl/dz is above 0, and down where it is below; "
        f"{lesson}",
        *([f"  ({_silent(silent)} left out)"] if silent else []),
        *(_table_of_groups(trace) if _has_groups(trace) else _table_of_directions(trace)),
        *_strongest_gradient(trace),
    ]


def _silent(rows: int) -> str:
    return (
        "1 row of weight 0 wants nothing and is"
        if rows == 1
        else f"{rows:,} rows of weight 0 want nothing and are"
    )


def groups(trace: Backward) -> list[Nudges]:
    """Return the nudges of the rows of each target, in the order of their targets.

    At most `GROUPS`, those of most rows, and one of all other rows behind them.
    """
    _, deltas, shares, wanted = _counted(trace)
    different, which, counts = np.unique(wanted, axis=0, return_inverse=True, return_counts=True)
    which = np.ravel(which)
    order = np.sort(np.argsort(-counts, kind="stable")[:GROUPS])
    found = [_of_group(_name(trace, different[g]), which == g, deltas, shares) for g in order.tolist()]
    others = ~np.isin(which, order)
    if others.any():
        found.append(_of_group(f"{len(different) - len(order):,} others", others, deltas, shares))
    return found


def _of_group(name: str, rows: HostArray, deltas: HostArray, shares: HostArray) -> Nudges:
    share = float(shares[rows].sum())
    return Nudges(name, int(rows.sum()), share, -deltas[rows].sum(axis=0) / share)


def _counted(trace: Backward) -> tuple[HostArray, HostArray, HostArray, HostArray]:
    """Return the numbers, the dL/dz of the last layer, the shares and the targets of rows that count.

    Of targets of two values, the larger of which each row has once, the number of that output (n,).
    """
    rows = np.flatnonzero(trace.shares > 0)
    wanted = trace.target[rows]
    if wanted.ndim == 2 and wanted.shape[1] > 1:
        values = np.unique(wanted)
        if len(values) == 2 and ((wanted == values[1]).sum(axis=1) == 1).all():
            wanted = wanted.argmax(axis=1)
    deltas, shares = (array[rows].astype(np.float64) for array in (trace.layers[-1].delta, trace.shares))
    return rows, deltas, shares, wanted


def _has_groups(trace: Backward) -> bool:
    """Whether rows are told apart by their targets: they are classes, or there are few different ones."""
    *_, wanted = _counted(trace)
    return wanted.ndim == 1 or len(np.unique(wanted, axis=0)) <= GROUPS


def _name(trace: Backward, target: HostArray) -> str:
    if trace.target.ndim == 1:
        return f"class {target}"
    if target.ndim == 0:
        return f"only t{target + 1} on"
    return f"t = {', '.join(f'{value:.4g}' for value in target[:4])}" + (", ..." if len(target) > 4 else "")


def _shown(trace: Backward) -> list[int]:
    """Return the outputs (from 0) that are written out: of many, those with the largest nudges."""
    sizes = np.abs(trace.layers[-1].delta).sum(axis=0)
    return sorted(np.argsort(-sizes, kind="stable")[:OUTPUTS].tolist())


def _table_of_groups(trace: Backward) -> list[str]:
    found, shown, last = groups(trace), _shown(trace), len(trace.layers)
    width = max(8, *(len(group.name) for group in found))
    classes = f"; class 0 is that of z{last}.1" if trace.target.ndim == 1 else ""
    lines = [f"  the mean nudge of the rows of a target; {_outputs_shown(trace)}{classes}"]
    lines.append(
        f"  {'target':<{width}}{'rows':>8}{'share':>9}" + "".join(f"{unit('z', last, j):>11}" for j in shown)
    )
    for group in found:
        line = f"  {group.name:<{width}}{group.rows:>8,}{group.share:>9.4g}"
        lines.append(line + "".join(f"{group.mean[j]:>+11.4g}" for j in shown))
    rows = sum(group.rows for group in found)
    all_rows = "".join(f"{0.0 - trace.layers[-1].db[j]:>+11.4g}" for j in shown)
    lines.append(f"  {'all':<{width}}{rows:>8,}{1:>9}{all_rows} = -dL/db{last}, the sum of share * nudge")
    return [*lines, f"  {_strongest_wish(trace, found)}"]


def _strongest_wish(trace: Backward, found: list[Nudges]) -> str:
    """Return in words what the group with the largest mean nudge wants."""
    group = max(found, key=lambda each: float(np.abs(each.mean).max()))
    j = int(np.abs(group.mean).argmax())
    if not group.mean[j]:
        return "no row wants anything: every nudge is 0"
    others = np.delete(group.mean, j)
    up, down = int((others > 0).sum()), int((others < 0).sum())
    words = " and ".join(f"{count} {way}" for count, way in ((up, "up"), (down, "down")) if count)
    name = unit("z", len(trace.layers), j)
    return f"the strongest: {group.name} wants {name} {_direction(group.mean[j])}" + (
        f", and of the other outputs {words}" if words else ""
    )


def _direction(nudge: float) -> str:
    return f"{'up' if nudge > 0 else 'down'} by {abs(nudge):.4g} a row"


def _table_of_directions(trace: Backward) -> list[str]:
    """Return for each output the rows that want it up and those that want it down."""
    _, deltas, shares, _ = _counted(trace)
    last = len(trace.layers)
    lines = [
        f"  the rows that want an output up, and down, with their mean nudges; {_outputs_shown(trace)}",
        f"  {'output':<8}{'rows up':>9}{'share':>9}{'nudge':>11}{'rows down':>11}{'share':>9}{'nudge':>11}"
        f"{f'-dL/db{last}':>12} = the sum of share * nudge",
    ]
    for j in _shown(trace):
        line = f"  {unit('z', last, j):<8}"
        for rows, width in ((deltas[:, j] < 0, 9), (deltas[:, j] > 0, 11)):
            share = float(shares[rows].sum())
            mean = -float(deltas[rows, j].sum()) / share if share else 0.0
            line += f"{int(rows.sum()):>{width},}{share:>9.4g}{mean:>+11.4g}"
        lines.append(line + f"{0.0 - trace.layers[-1].db[j]:>+12.4g}")
    return lines


def _outputs_shown(trace: Backward) -> str:
    k, shown = len(trace.layers[-1].bias), len(_shown(trace))
    return "all outputs" if shown == k else f"the {shown} of {k:,} outputs with the largest nudges"


def _strongest_gradient(trace: Backward) -> list[str]:
    """Return the largest dL/dw of the network as the sum over the rows of share * dl/dz * input."""
    sizes = [float(np.abs(layer.dW).max()) for layer in trace.layers]
    number = int(np.argmax(sizes)) + 1
    layer = trace.layers[number - 1]
    i, j = divmod(int(np.abs(layer.dW).argmax()), layer.dW.shape[1])
    rows, _, shares, _ = _counted(trace)
    slopes, inputs = layer.delta[rows, j].astype(np.float64) / shares, layer.x[rows, i].astype(np.float64)
    parts = shares * slopes * inputs
    shown = np.sort(np.argsort(-np.abs(parts), kind="stable")[:ROWS])
    name = f"dL/d{weight(number, i, j, layer.weights)}"
    x = input_of(number, i)
    lines = [
        f"the strongest gradient of a weight: {name} = {figures(layer.dW[i, j])}, the mean over the rows of "
        f"dl/d{unit('z', number, j)} * {x}, each row counted by its share; "
        f"the first row is row 1"
    ]
    lines += [
        f"  row {rows[at] + 1}: {figures(shares[at])} * {figures(slopes[at])} * {figures(inputs[at])} = "
        f"{figures(parts[at])}"
        for at in shown.tolist()
    ]
    left = len(parts) - len(shown)
    if left:
        rest = float(np.delete(parts, shown).sum())
        lines.append(f"  {left:,} other rows, the sum of their parts: {figures(rest)}")
    return lines
