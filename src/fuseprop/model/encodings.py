"""How columns are encoded, as plain data for model files, and back: an object for each but plain numbers.

A column of plain numbers, of which none was missing, has none: its name, mean and scale are all there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from ..checks.quoting import literal
from ..data.bins import Bins
from ..data.column import QUANTITIES, Column
from ..data.cycles import CYCLES
from ..data.dates import wrong_format
from ..data.encoder import Encoder
from ..data.notations import is_notation
from ..data.scaling import Standardizer
from ..data.table_data import numbers
from ..data.tails import Tails

ENTRIES: dict[str, type] = {
    "name": str,
    "kind": str,
    "notation": str,
    "levels": list,
    "own": int,
    "cycles": list,
    "used": bool,
    "missing": bool,
}
"""The entries of an object with their types: those of a `Column`, and what an `Encoder` has of it."""

MORE: dict[str, type] = {"tails": list, "edges": list, "means": list}
"""Entries that only some objects have: the two numbers of `Tails`, and those of `Bins`."""


def keep_columns(encoder: Encoder) -> list[dict[str, Any]]:
    """Return the objects of an encoder's columns, in their order."""
    columns = zip(encoder.columns, encoder.used.tolist(), encoder.indicated.tolist(), strict=True)
    return [
        {
            "name": column.name,
            "kind": column.kind,
            "notation": column.notation,
            "levels": list(column.levels),
            "own": encoder.own.get(j, 0),
            "cycles": list(encoder.cycles.get(j, ())),
            "used": used,
            "missing": missing,
            **_more(encoder, j),
        }
        for j, (column, used, missing) in enumerate(columns)
        if not used or missing or column.kind != "number" or column.notation or _more(encoder, j)
    ]


def _more(encoder: Encoder, j: int) -> dict[str, list[float]]:
    """Return the entries of `MORE` that a column has."""
    more = {}
    if j in encoder.tails:
        more["tails"] = [encoder.tails[j].center, encoder.tails[j].spread]
    if j in encoder.bins:
        more |= {"edges": list(encoder.bins[j].edges), "means": list(encoder.bins[j].means)}
    return more


def has_more(kept: Sequence[Mapping[str, Any]]) -> bool:
    """Whether some of the objects have entries of `MORE`, which formats before the fourth lack."""
    return any(MORE.keys() & entry.keys() for entry in kept)


def encoder_kept(
    names: Sequence[str], scaling: Standardizer, kept: Sequence[Mapping[str, Any]], missing: str
) -> Encoder:
    """Return the encoder of columns with these names, of which some have an object that was `kept`.

    Raises ValueError for objects that no encoder has, and if no feature is left.
    """
    made = [_column(entry) for entry in kept]
    of_name = {entry["name"]: entry for entry in kept}
    places = [(j, of_name[name]) for j, name in enumerate(names) if name in of_name]
    if [entry for _, entry in places] != list(kept):
        raise ValueError(
            f"columns that are encoded must be features, in their order, got {literal(list(of_name))}."
        )
    columns = list(numbers(tuple(names)))
    used, indicated = np.ones(len(columns), np.bool_), np.zeros(len(columns), np.bool_)
    for column, (j, entry) in zip(made, places, strict=True):
        columns[j], used[j], indicated[j] = column, entry["used"], entry["missing"]
    own = {j: entry["own"] for j, entry in places if entry["kind"] == "category"}
    cycles = {j: tuple(entry["cycles"]) for j, entry in places if entry["kind"] == "date"}
    tails = {j: Tails(*map(float, entry["tails"])) for j, entry in places if "tails" in entry}
    bins = {
        j: Bins(tuple(map(float, entry["edges"])), tuple(map(float, entry["means"])))
        for j, entry in places
        if "edges" in entry
    }
    encoder = Encoder(tuple(columns), scaling, used, indicated, own, cycles, missing, tails, bins)
    if not encoder.width:
        raise ValueError("no column has a feature.")
    return encoder


def _column(entry: Mapping[str, Any]) -> Column:
    """Return the column of an object. Raises ValueError for entries that do not go with each other."""
    more = {key: MORE[key] for key in MORE if key in entry}
    if {key: type(value) for key, value in entry.items()} != ENTRIES | more:
        raise ValueError(f"a column has the entries {', '.join(ENTRIES)}, got {literal(entry)}.")
    if not _are_texts([entry["name"], entry["notation"], *entry["levels"], *entry["cycles"]]):
        raise ValueError(
            f"names, notations, levels and cycles are text that UTF-8 holds, got {literal(entry)}."
        )
    column = Column(entry["name"], entry["kind"], tuple(entry["levels"]), entry["notation"])
    kind, name, own, cycles = entry["kind"], literal(entry["name"]), entry["own"], entry["cycles"]
    if not 0 <= own <= (len(entry["levels"]) if kind == "category" else 0):
        raise ValueError(f"the {kind} column {name} cannot have {own} levels of its own.")
    has_cycles = kind == "date" and entry["used"]
    if cycles != [cycle for cycle in CYCLES if has_cycles and cycle in cycles]:
        raise ValueError(f"the {kind} column {name} cannot have the cycles {literal(cycles)}.")
    if entry["notation"] and not _is_notation(kind, entry["notation"]):
        raise ValueError(f"the {kind} column {name} cannot be written as {literal(entry['notation'])}.")
    if more:
        _check_more(entry)
    return column


def _check_more(entry: Mapping[str, Any]) -> None:
    """Raise ValueError for entries of `MORE` that no column has, or not this one."""
    kind, name = entry["kind"], literal(entry["name"])
    if kind not in QUANTITIES or not entry["used"]:
        raise ValueError(f"the {kind} column {name} cannot have tails or bins.")
    if ("edges" in entry) != ("means" in entry):
        raise ValueError(f"the column {name} needs edges and means of its bins, or neither.")
    if not all(_are_finite(entry[key]) for key in MORE if key in entry):
        raise ValueError(f"the tails, edges and means of the column {name} must be finite numbers.")
    if "tails" in entry and (len(entry["tails"]) != 2 or not entry["tails"][1] > 0):
        raise ValueError(f"the tails of the column {name} are two numbers, the second above 0.")


def _are_finite(values: Sequence[Any]) -> bool:
    try:
        return {*map(type, values)} <= {int, float} and all(map(isfinite, values))
    except OverflowError:  # whole numbers in JSON may be beyond float64
        return False


def _is_notation(kind: str, text: str) -> bool:
    return is_notation(text) if kind == "number" else kind == "date" and not wrong_format(text)


def _are_texts(texts: Iterable[Any]) -> bool:
    try:
        "".join(texts).encode()
    except (TypeError, UnicodeEncodeError):
        return False
    return True
