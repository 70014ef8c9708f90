"""The columns of a table, shown: as plain data for JSON, and as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks.quoting import counted, shown
from .column import Column
from .dates import date_text
from .share import Share
from .table import Table

MOST_SHOWN = 20
"""Where a table has more columns, `lines_of` sums up those that are plain numbers."""

MOST_FREQUENT = 5
LONGEST_NAME = 24
LONGEST_TEXT = 40


def columns_of(table: Table) -> list[dict[str, Any]]:
    """Return the features, then the columns left out, as plain data.

    Of a feature: name, kind, missing (how many cells), example, and levels (how many) or notation where there
    are. Of a column left out: name, kind "left out", and why. Processes that share the rows all call this,
    and return the same.
    """
    share = Share(table.world, table.first)
    features = [_feature(column, table.X[:, j], share) for j, column in enumerate(table.columns)]
    return features + [{"name": left.name, "kind": "left out", "why": left.why} for left in table.left_out]


def details_of(table: Table) -> list[dict[str, Any]]:
    """Return the targets and the same with what the cells hold, for a table of one process.

    Of numbers and dates the minimum, quartiles and maximum, linearly interpolated; of categories, booleans
    and classes the most frequent texts, each with its number of rows. A target has the kind "target".
    """
    shown_columns = columns_of(table)
    for j, column in enumerate(table.columns):
        values = table.X[:, j]
        missing = shown_columns[j]["missing"]
        shown_columns[j] |= _details(column, values[~np.isnan(values)] if missing else values)
    return _targets(table) + shown_columns


def lines_of(table: Table) -> list[str]:
    """Return lines that show the columns before a training: kind, missing cells, an example, why left out.

    Processes that share the rows all call this, and return the same.
    """
    found = columns_of(table)
    features, left_out = found[: len(table.columns)], found[len(table.columns) :]
    listed = features
    if len(features) > MOST_SHOWN:
        listed = [one for one in features if not _is_plain(one)][:MOST_SHOWN]
    lines = _aligned([_row(one, _example(one)) for one in listed])
    rest = len(features) - len(listed)
    if rest:
        missing = sum(one["missing"] for one in features) - sum(one["missing"] for one in listed)
        kind = "number" if len(listed) < MOST_SHOWN else "column"
        more = f"and {counted(rest, f'more {kind}')}" if listed else counted(rest, kind)
        lines.append(f"{more}, {_missing(missing)}")
    lines += [f"left out: {shown(one['name'])}, as {one['why']}" for one in left_out[:MOST_SHOWN]]
    if len(left_out) > MOST_SHOWN:
        lines.append(f"left out: {counted(len(left_out) - MOST_SHOWN, 'more column')}")
    return lines


def detailed_lines(details: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each column of `details_of`, or with a "why": name, kind, missing, contents."""
    return _aligned([_row(one, contents_of(one)) for one in details])


def _row(one: Mapping[str, Any], text: str) -> tuple[str, str, str, str]:
    missing = _missing(one["missing"]) if "missing" in one else ""
    return shown(one["name"], LONGEST_NAME), one["kind"], missing, text


def contents_of(one: Mapping[str, Any]) -> str:
    """Return what is in a column of `columns_of` or `details_of`, in words; of one left out, why."""
    if "why" in one:
        return str(one["why"])
    return (
        _example(one)
        if "example" in one and not {"quartiles", "most_frequent"} & set(one)
        else _contents(one)
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of words as lines, in which all words but the last stand below each other."""
    widths = [max(map(len, words)) for words in zip(*[row[:-1] for row in rows], strict=True)]
    return ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip() for row in rows]


def _targets(table: Table) -> list[dict[str, Any]]:
    """Return the targets as plain data, with what their rows hold."""
    if table.targets is None:
        return []
    found = []
    for name, values in zip(table.target_names, table.targets.T, strict=True):
        column = Column(name)
        if values.dtype.kind == "U":
            levels, values = np.unique(values, return_inverse=True)
            column = Column(name, "category", tuple(levels.tolist()))
        about = {"name": name, "kind": "target", "missing": table.without_target}
        about |= {"levels": len(column.levels)} if column.levels else {}
        found.append(about | _details(column, values))
    return found


def _feature(column: Column, values: NDArray[np.float64], share: Share) -> dict[str, Any]:
    is_missing = np.isnan(values)
    missing = share.total(int(is_missing.sum()))
    first = share.first_where(~is_missing, values)
    feature: dict[str, Any] = {"name": column.name, "kind": column.kind, "missing": missing}
    feature["example"] = None if first is None else _value(column, float(first[1]))
    if column.kind == "category":
        feature["levels"] = len(column.levels)
    if column.notation:
        feature["notation"] = column.notation
    return feature


def _value(column: Column, value: float) -> str | float:
    """Return what a number in `Table.X` stands for."""
    if column.levels:
        return column.levels[int(value)]
    return date_text(value) if column.kind == "date" else value


def _details(column: Column, values: NDArray[np.float64]) -> dict[str, Any]:
    if column.levels:
        counts = np.bincount(values.astype(np.int64), minlength=len(column.levels))
        order = np.argsort(-counts, kind="stable")[:MOST_FREQUENT]
        frequent = [{"text": column.levels[i], "rows": int(counts[i])} for i in order if counts[i]]
        return {"most_frequent": frequent}
    if not len(values):
        return {"minimum": None, "quartiles": None, "maximum": None}
    quartiles = [_value(column, _quantile(values, share)) for share in (0.25, 0.5, 0.75)]
    low, high = _value(column, float(values.min())), _value(column, float(values.max()))
    return {"minimum": low, "quartiles": quartiles, "maximum": high}


def _quantile(values: NDArray[np.float64], share: float) -> float:
    """Return the number below which a share of values (n,) lies, interpolated linearly as by np.quantile.

    One partition for each takes a quarter of the time of one for all.
    """
    place = (len(values) - 1) * share
    below = int(place)
    ordered = np.partition(values, below)
    above = ordered[below + 1 :].min(initial=np.inf) if place > below else ordered[below]
    return float(ordered[below] * (1 - (place - below)) + above * (place - below))


def _is_plain(one: Mapping[str, Any]) -> bool:
    return one["kind"] == "number" and "notation" not in one


def _example(one: Mapping[str, Any]) -> str:
    """Return a feature's example, and how many texts it has, or how they are written."""
    words = [] if one["example"] is None else [_text(one["example"])]
    words += [f"{one['levels']:,} different"] if "levels" in one else []
    return "; ".join([*words, *_notation(one)])


def _contents(one: Mapping[str, Any]) -> str:
    """Return what a feature's cells hold: its range and quartiles, or its most frequent texts."""
    if "most_frequent" in one:
        frequent = [f"{_text(level['text'])} {level['rows']:,}" for level in one["most_frequent"]]
        more = one.get("levels", 0) - len(frequent)
        return ", ".join(frequent) + (f" and {more:,} more" if more > 0 else "")
    words = []
    if one["quartiles"] is not None:
        quartiles = ", ".join(map(_text, one["quartiles"]))
        words = [f"{_text(one['minimum'])} to {_text(one['maximum'])}, quartiles {quartiles}"]
    return "; ".join([*words, *_notation(one)])


def _notation(one: Mapping[str, Any]) -> list[str]:
    if "notation" not in one:
        return []
    notation = one["notation"]
    if one.get("kind") == "number" and notation.startswith("%"):
        return [f"written as {shown(notation[1:])}%"]
    return [f"written as {shown(notation)}"]


def _missing(count: int) -> str:
    return f"{count:,} missing" if count else "none missing"


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else shown(value, LONGEST_TEXT)
