"""On which columns a model relies, as parts of a page; measured on so many rows that it takes seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...backend import HostArray
from ...checks.quoting import counted, shown
from ...checks.settings import as_generator
from ...data.encoder import Encoder
from ...data.errors import DataError
from ...data.table import Table
from ...network import Network
from ...showing import paragraph
from ...showing.page import folded, table
from ..importance import Importance
from ..permuting import permutation_importance
from .pictures import drawn

MOST_PRODUCTS = 2e10
"""So many products of a weight and an input are taken at most, some seconds on one core: rows times
parameters times columns times repeats."""

FEWEST_ROWS = 300
"""So many rows are taken in any case, where there are as many."""

REPEATS = 5

MOST_LISTED = 200
"""So many columns are listed, the most important ones."""

FEW = 12
"""A table of more columns is folded, below the picture."""


@dataclass(frozen=True)
class Reliance:
    """The importance of columns, or why it is not known; and on which rows it was measured, in a sentence."""

    importance: Importance | None
    about: str


def reliance_of(
    network: Network, encoder: Encoder, table: Table, targets: HostArray, *, rows: str, seed: int = 0
) -> Reliance:
    """Return the importance of the columns of a table's rows, with the network's targets.

    `rows` says which rows they are. Of so many that it would take long, some are drawn.
    """
    taken, repeats = limited(len(table), network.stack.parameters.count, len(encoder.columns))
    about = f"Measured on the {counted(len(table), 'row')} that are {rows}, each column permuted "
    if taken < len(table):
        chosen = np.sort(as_generator(seed).permutation(len(table))[:taken])
        about = (
            f"Measured on {counted(taken, 'row')}, drawn of the {len(table):,} that are {rows}, as all would "
            f"take long, each column permuted "
        )
        table, targets = table.take(chosen), targets[chosen]
    try:
        found = permutation_importance(network, encoder, table, targets, repeats=repeats, seed=seed)
    except DataError as error:
        return Reliance(None, f"Not measured: {error}")
    return Reliance(found, f"{about}{counted(found.repeats, 'time')}.")


def limited(rows: int, parameters: int, columns: int) -> tuple[int, int]:
    """Return of how many rows, and how often, each column is permuted."""
    at_most = MOST_PRODUCTS / (max(1, parameters) * max(1, columns))  # rows times repeats
    repeats = int(np.clip(at_most // min(rows, 4 * FEWEST_ROWS), 1, REPEATS))
    return min(rows, max(FEWEST_ROWS, int(at_most // repeats))), repeats


def reliance_parts(reliance: Reliance) -> list[str]:
    """Return picture and table of an importance, and what to keep in mind."""
    found = reliance.importance
    if found is None:
        return [paragraph(reliance.about)]
    names = ["column", "loss rises by", "95% from", "to"]
    names += [f"{found.metric} falls by", "95% from ", "to "] if found.metric != "loss" else []
    lines = []
    for column in found.columns[:MOST_LISTED]:
        effects = [effect for effect in (column.loss, column.metric) if effect is not None]
        numbers = [number for each in effects for number in (each.mean, each.low, each.high)]
        lines.append((shown(column.name), *numbers))
    title = "Importance of columns"
    listed = table(title, [name.strip() for name in names], lines)
    left = len(found.columns) - len(lines)
    if left:
        listed += paragraph(f"And {counted(left, 'column')} that are less important.")
    what = (
        "By how much the loss rises, and the metric falls, where the cells of a column go to other rows. A "
        "column of little importance may still say much that other columns say too."
    )
    return [
        paragraph(what),
        drawn(found.figure("").panels),
        folded(title, listed) if len(lines) > FEW else listed,
        paragraph(reliance.about),
        *map(paragraph, found.notes),
    ]
