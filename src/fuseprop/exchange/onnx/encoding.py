"""An encoder as ONNX operators: from columns as they are, numbers and texts, to the inputs of a network.

As `Encoder` does, it computes in float64: features that are lines of a cell, or pieces of one, all together;
one row of a table for each text of a category or boolean. What the encoder refuses, a text that is neither of
a boolean's two, a missing value where these are refused, and a number that is too large, is a row that a
table does not have, at which the runtime ends with an error. Only spaces around a text stay where the encoder
takes them off: no operator does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...data.column import QUANTITIES, Column
from ...data.encoder import Encoder
from ...data.spelling import MISSING
from ...data.tails import BOUND, SATURATED
from ..errors import NotConvertible
from .graph import ML, Graph

AS_INPUT = {
    "number": "a number, NaN where it is missing",
    "date": "days since 1970-01-01, the time of day as a fraction, NaN where it is missing",
    "boolean": "a text, one of the levels, no spaces around it, empty where it is missing",
    "category": "a text as in training, no spaces around it, empty where it is missing; others count as new",
}
"""What an input holds, by the kind of its column."""

ALL = "X"
"""The input of a model whose features have no names: all columns in their order."""


def is_one_array(encoder: Encoder, named: bool) -> bool:
    """Whether the input is one array of numbers, and not one for each column."""
    return not named and encoder.is_of_numbers


def columns_used(encoder: Encoder) -> list[int]:
    """Return the columns that are inputs: those that have a feature."""
    return [j for j in range(len(encoder.columns)) if encoder.used[j] or encoder.indicated[j]]


def encoded(graph: Graph, encoder: Encoder, named: bool) -> str:
    """Add the inputs and what the encoder makes of them; return the name of the features (rows, width)."""
    used = columns_used(encoder)
    lined = [j for j in used if encoder.columns[j].kind != "category"]
    if is_one_array(encoder, named):
        lined = list(range(len(encoder.columns)))
        cells = graph.input(ALL, np.float64, len(lined))
        given = {}
    else:
        given = {j: _input(graph, encoder.columns[j]) for j in used}
        cells = _beside(graph, [_cells(graph, encoder, j, given[j]) for j in lined]) if lined else ""
    parts, features = list[str](), list[int]()
    if lined:
        parts, features = _of_numbers(graph, encoder, cells, {j: i for i, j in enumerate(lined)})
    for place, j in enumerate(encoder.layout.categories.tolist()):
        if j in given:
            parts.append(_of_category(graph, encoder, place, j, given[j]))
            features += range(encoder.layout.starts[j], encoder.layout.starts[j + 1])
    made = _beside(graph, parts)
    if features != list(range(len(features))):
        made = _taken(graph, made, np.argsort(features).tolist())
    made = graph.node("Cast", made, name="encoded", to=graph.kind(graph.dtype))
    if not lined:
        return made
    return graph.refused(made, graph.node("IsInf", made), "a number that is too large", graph.dtype)


def _input(graph: Graph, column: Column) -> str:
    return graph.input(column.name, np.float64 if column.kind in QUANTITIES else str, 1)


def _cells(graph: Graph, encoder: Encoder, j: int, given: str) -> str:
    """Return the cells (rows, 1) of a column that is no category: numbers, days; 0, 1 or nan of a boolean."""
    column = encoder.columns[j]
    if column.kind in QUANTITIES:
        return given
    no, yes = column.levels
    texts = {spelled: code for code, text in enumerate((no, yes)) for spelled in _cases(text)}
    numbers = {"0": 0, "1": 1} if not {"0", "1"} & texts.keys() else {}
    codes = _codes(graph, column, given, {**numbers, **texts}, missing=2, other=3)
    values = graph.constant([0.0, 1.0, np.nan], dtype=np.float64)
    return graph.node("Gather", values, codes, name=f"{column.name}: {no} or {yes}", axis=0)


def _of_numbers(
    graph: Graph, encoder: Encoder, cells: str, place: dict[int, int]
) -> tuple[list[str], list[int]]:
    """Return the features of cells, and which of the network's inputs they are."""
    layout, columns = encoder.layout, sorted(place)
    gone = graph.node("IsNaN", cells)
    if encoder.missing == "refuse":
        cells = graph.refused(cells, gone, "a missing value", np.float64)
    cells = graph.refused(cells, graph.node("IsInf", cells), "an infinite number", np.float64)
    parts = [_lines(graph, encoder, cells, gone, place)] if encoder.lines.columns.size else []
    of_missing = [i for i, j in enumerate(layout.missing[0].tolist()) if j in place]
    features = np.arange(encoder.width)[layout.lines_and_points]
    count = len(encoder.lines.columns)
    order = features[:count].tolist()
    if layout.dates:
        parts.append(_points(graph, encoder, cells, gone, place))
        order += features[count:].tolist()
    if of_missing:
        flags = _taken(graph, gone, [place[j] for j in layout.missing[0, of_missing].tolist()], columns)
        parts.append(graph.node("Cast", flags, to=graph.kind(np.float64)))
        order += layout.missing[1, of_missing].tolist()
    return parts, order


def _lines(graph: Graph, encoder: Encoder, cells: str, gone: str, place: dict[int, int]) -> str:
    """Add what `Lines.apply` does."""
    lines = encoder.lines
    columns = [place[j] for j in lines.columns.tolist()]
    values = _taken(graph, cells, columns, sorted(place))
    values = _of_each(graph, "Sub", values, lines.start)
    values = _of_each(graph, "Div", values, lines.scale)
    if lines.bent.size:
        is_bent = np.zeros(len(lines.columns), np.bool_)
        is_bent[lines.bent] = True
        values = graph.node(
            "Where", graph.constant(is_bent, dtype=np.bool_), _clipped_smoothly(graph, values), values
        )
    if lines.ends is not None:
        low, high, mean = lines.ends
        values = _of_each(graph, "Max", _of_each(graph, "Min", values, high), low)
        values = _of_each(graph, "Sub", values, mean)
    fill = graph.constant(lines.fill, "filled", np.float64)
    return graph.node("Where", _taken(graph, gone, columns, sorted(place)), fill, values)


def _clipped_smoothly(graph: Graph, z: str) -> str:
    """Add what `clipped_smoothly` does."""
    bound, one = (graph.constant(each, dtype=np.float64) for each in (BOUND, 1.0))
    end = [graph.constant(each, dtype=np.float64) for each in (SATURATED, -SATURATED)]
    part = graph.node("Div", graph.node("Max", graph.node("Min", z, end[0]), end[1]), bound)
    root = graph.node("Sqrt", graph.node("Add", one, graph.node("Mul", part, part)))
    return graph.node("Mul", bound, graph.node("Div", part, root))


def _points(graph: Graph, encoder: Encoder, cells: str, gone: str, place: dict[int, int]) -> str:
    """Add the sines of all dates' cycles, and then their cosines: see `Encoder`."""
    places, columns = [], []
    for j, cycles in encoder.layout.dates:
        days = _taken(graph, cells, [place[j]])
        day = graph.node("Floor", days)
        places += [CYCLE[cycle](graph, days, day) for cycle in cycles]
        columns += [place[j]] * len(cycles)
    angles = _of_each(graph, "Mul", _beside(graph, places), np.array(2.0 * np.pi))
    points = _beside(graph, [graph.node("Sin", angles), graph.node("Cos", angles)])
    nothing = graph.constant(0.0, dtype=np.float64)
    return graph.node("Where", _taken(graph, gone, columns * 2), nothing, points)


def _hour(graph: Graph, days: str, day: str) -> str:
    return graph.node("Sub", days, day)


def _weekday(graph: Graph, _: str, day: str) -> str:
    """1970-01-01 was a Thursday."""
    weekday = _remainder(graph, _of_each(graph, "Add", day, np.array(3.0)), 7.0)
    return _of_each(graph, "Div", weekday, np.array(7.0))


def _month(graph: Graph, _: str, day: str) -> str:
    """The month of a day, counted from 0, by whole numbers in float64.

    Years begin in March, so that a leap day is a year's last: H. Hinnant, "chrono-compatible low-level date
    algorithms", civil_from_days.
    """

    def by(operator: str, x: str, number: float) -> str:
        return _of_each(graph, operator, x, np.array(number))

    def whole(x: str, number: float) -> str:
        return graph.node("Floor", by("Div", x, number))

    def sum_of(x: str, *others: tuple[str, str]) -> str:
        for operator, y in others:
            x = graph.node(operator, x, y)
        return x

    day_of_era = _remainder(graph, by("Add", day, 719468.0), 146097.0)
    corrected = sum_of(
        day_of_era,
        ("Sub", whole(day_of_era, 1460.0)),
        ("Add", whole(day_of_era, 36524.0)),
        ("Sub", whole(day_of_era, 146096.0)),
    )
    year = whole(corrected, 365.0)
    begins = sum_of(by("Mul", year, 365.0), ("Add", whole(year, 4.0)), ("Sub", whole(year, 100.0)))
    day_of_year = graph.node("Sub", day_of_era, begins)
    from_march = whole(by("Add", by("Mul", day_of_year, 5.0), 2.0), 153.0)
    return by("Div", _remainder(graph, by("Add", from_march, 2.0), 12.0), 12.0)


CYCLE = {"month": _month, "weekday": _weekday, "hour": _hour}
"""The place of a date in each of `fuseprop.data.cycles`, from 0 to 1, of its days and its whole days."""


def _remainder(graph: Graph, x: str, divisor: float) -> str:
    """x - divisor floor(x / divisor), exact for whole numbers."""
    times = graph.node("Floor", _of_each(graph, "Div", x, np.array(divisor)))
    return graph.node("Sub", x, _of_each(graph, "Mul", times, np.array(divisor)))


def _of_category(graph: Graph, encoder: Encoder, place: int, j: int, given: str) -> str:
    """Return the features (rows, f) of a category: the row of a table for each text."""
    column, layout = encoder.columns[j], encoder.layout
    known, start, end = int(layout.known[place]), int(layout.starts[j]), int(layout.starts[j + 1])
    of_codes = layout.of_codes[layout.first[place] : layout.first[place] + known + 2]
    table = (of_codes[:, None] == np.arange(start, end)).astype(np.float64)
    if encoder.missing == "refuse":
        table = table[:-1]
    texts = {text: code for code, text in enumerate(column.levels)}
    codes = _codes(graph, column, given, texts, missing=known + 1, other=known)
    rows = graph.constant(table, f"{column.name}: features", np.float64)
    row = graph.node("Squeeze", codes, graph.constant([1], dtype=np.int64))
    return graph.node("Gather", rows, row, name=f"{column.name}: one of its texts", axis=0)


def _codes(
    graph: Graph, column: Column, given: str, texts: dict[str, int], *, missing: int, other: int
) -> str:
    """Return the codes of texts, of missing ones in all their usual spellings, and of all others."""
    gone = {spelled: missing for text in sorted(MISSING) for spelled in _cases(text)}
    keys = {**gone, "NaN": missing, "NaT": missing, "<NA>": missing, **texts}
    return graph.node(
        "LabelEncoder",
        given,
        name=f"{column.name}: code",
        domain=ML,
        keys_strings=list(keys),
        values_int64s=list(keys.values()),
        default_int64=other,
    )


def _cases(text: str) -> list[str]:
    return list(dict.fromkeys((text, text.lower(), text.upper(), text.capitalize())))


def _of_each(graph: Graph, operator: str, x: str, numbers: np.ndarray) -> str:
    """Add an operator on values and float64 numbers, one of each column or one of all."""
    return graph.node(operator, x, graph.constant(numbers, dtype=np.float64))


def _taken(graph: Graph, values: str, columns: Sequence[int], of: Sequence[int] | None = None) -> str:
    """Return some columns of values; the values themselves where these are all columns in their order."""
    if of is not None and list(columns) == list(range(len(of))):
        return values
    return graph.node("Gather", values, graph.constant(list(columns), dtype=np.int64), axis=1)


def _beside(graph: Graph, parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)


def check_names(encoder: Encoder, named: bool) -> None:
    """Raise NotConvertible for names of columns that ONNX does not take."""
    if not is_one_array(encoder, named) and any(not encoder.columns[j].name for j in columns_used(encoder)):
        raise NotConvertible(
            'a column has the name "", which in ONNX stands for no input. Give it a name and train again.'
        )
