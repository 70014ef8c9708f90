"""Assembling: from the cells of a source to a table of features and targets."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence

from ..checks.quoting import literal, shown
from .cells import Cells, Numbers, Source
from .choices import Choices
from .column import Column
from .column_cells import is_read_as_text, read_as, refuse_others
from .deciding import Asked, Out, decide
from .decimals import mark_in
from .errors import DataError, check_columns
from .features import Features, empty_matrix, place_in, refusing
from .mistakes import refuse_among_numbers
from .notations import digits_of
from .share import share_of
from .table_data import LeftOut, TableData
from .target_cells import Reading
from .target_rows import read_targets, wants_text, with_thousands
from .texts import as_spelled, as_texts
from .united import of_all

FEATURELESS = 12
"""So many columns are listed, with why they are left out, where no feature is left."""


def assemble(
    source: Source,
    target: Sequence[str] | None,
    choices: Choices,
    reading: Reading,
    refused: dict[str, str] | None = None,
) -> TableData:
    """Return the table of a source, whose columns are what the choices or the rules in `deciding` say.

    Parameters
    ----------
    source : Source
    target : sequence of str, optional
        The target columns; without any, the table has no targets.
    choices : Choices
    reading : Reading
        How the targets are read.
    refused : dict, optional
        Takes the columns whose cells are refused, each with the error's text; they are no features then, and
        a table may have none. By default the first of these errors is raised.

    Raises DataError, with the place, for cells that the rules refuse, that do not fit a choice, or that are
    no targets; for columns that are not there; and if there is no row or no feature. Where several processes
    share the rows, all call this: the table of each has its own rows, and is in all else that of all rows;
    so are the errors.
    """
    source, target = of_all(source), tuple(target or ())
    asked, left_out = _asked(source, target, choices)
    as_text = [name for name, one in asked.items() if _is_asked_as_text(one, source)]
    if wants_text(reading):
        as_text += target
    cells = source.cells([*target, *asked], as_text=as_text)
    share = share_of(source)
    for name, column in cells.items():
        if isinstance(column, Numbers) and column.count and name in asked and not asked[name].kind:
            with refusing(name, refused):
                refuse_among_numbers(name, column, place_in(source, name), share)
    _read_doubtful_again(source, cells, [name for name in cells if name not in (refused or ())])
    marks = {} if source.typed else {name: mark_in(cells[name]) for name in target}
    targets = read_targets(source, cells, target, reading)
    stand = reading.target_as == "numbers"
    features = Features(source, targets, target, asked, choices, targets_stand=stand)
    for name, mark in marks.items():
        features.hint(name, mark)
    for name in asked:
        column = cells.pop(name)
        if refused and name in refused:
            continue
        with refusing(name, refused):
            outcome = decide(name, column, place_in(source, name), asked[name], share)
            if isinstance(outcome, Out):
                left_out[name] = outcome.why
            else:
                features.add(outcome)
            if not source.typed and (isinstance(outcome, Out) or asked[name].kind):
                features.hint(name, mark_in(column))
    read = {*target, *asked}
    features.settle(refused, () if source.typed else [name for name in source.names if name not in read])
    targets = features.targets
    if not features.columns and refused is None:
        raise _no_feature(source, left_out)
    return TableData(
        features.matrix(),
        targets.values,
        tuple(features.columns),
        target,
        source.name,
        left_out=tuple(LeftOut(name, left_out[name]) for name in source.names if name in left_out),
        notes=(*source.notes, *targets.notes, *features.told()),
        rows=targets.rows,
        without_target=targets.without,
        world=source.world,
        first=source.first,
    )


def assemble_as(
    source: Source, columns: Sequence[Column], target: Sequence[str], reading: Reading
) -> TableData:
    """Return the table of a source with these columns, about which nothing is decided any more.

    Texts that are not among a category's levels get codes behind them; the table's own column has these
    levels too. Several processes that share the rows agree as in `assemble`.

    Raises DataError, with the place, for cells that do not fit their column; for columns that are not there.
    """
    source, target = of_all(source), tuple(target)
    names = [column.name for column in columns]
    check_columns(target, source.names, source.name, "targets")
    check_columns(names, source.names, source.name, "features")
    as_text = []
    if not source.typed:
        as_text += [column.name for column in columns if is_read_as_text(column)]
        as_text += target if wants_text(reading) else ()
    cells = source.cells([*target, *names], as_text=as_text)
    for column in columns:
        refuse_others(column, cells[column.name], place_in(source, column.name))
    _read_doubtful_again(source, cells, [*cells])
    if source.typed:
        _spell(source, cells, columns, target if wants_text(reading) else (), reading)
    marks = _marks(columns, cells, target) if target and not source.typed else {}
    targets = read_targets(source, cells, target, reading)
    if not source.typed:
        known = {*names, *target}
        unread = [name for name in source.names if name not in known]
        targets = with_thousands(source, targets, target, marks, unread)
    X = empty_matrix(source, targets, len(columns))
    read, share = [], share_of(source)
    for j, column in enumerate(columns):
        own, values = read_as(column, cells.pop(column.name), place_in(source, column.name), share)
        X[:, j] = values if targets.rows is None else values[targets.rows]
        read.append(own)
    return TableData(
        X,
        targets.values,
        tuple(read),
        target,
        source.name,
        notes=(*source.notes, *targets.notes),
        rows=targets.rows,
        without_target=targets.without,
        world=source.world,
        first=source.first,
    )


def _spell(
    source: Source,
    cells: MutableMapping[str, Cells],
    columns: Sequence[Column],
    targets: Sequence[str],
    reading: Reading,
) -> None:
    """Put the cells of a typed source into `cells` as a model's columns and the classes of targets need them.

    One spelling for all such sources: they may hold a category of numbers as 1 or as 1.0.
    """
    share = share_of(source)
    for column in columns:
        name = column.name
        where = f"{source.name}: column {literal(name)}"
        spelled = as_spelled(cells[name], column, where, share=share)
        cells[name] = as_texts(spelled) if column.kind == "category" else spelled
    for name in targets:
        classes = Column(name, "category", tuple(reading.keep_as_class))
        where = f"{source.name}: column {literal(name)}"
        cells[name] = as_texts(as_spelled(cells[name], classes, where, known=True, share=share))


def _marks(columns: Sequence[Column], cells: Mapping[str, Cells], target: Sequence[str]) -> dict[str, str]:
    """Return what stands before decimals in the columns of a file for a model, where they tell it."""
    marks = {
        name: mark
        for name in (*target, *(column.name for column in columns))
        if (mark := mark_in(cells[name]))
    }
    for column in columns:
        if column.kind == "number" and column.notation and digits_of(column.notation).decimal == ",":
            marks[column.name] = ","
    return marks


def _read_doubtful_again(source: Source, cells: MutableMapping[str, Cells], names: Sequence[str]) -> None:
    """Put the texts of columns into `cells` that are not all plain numbers, though many are."""
    doubtful = [name for name in names if isinstance(column := cells[name], Numbers) and column.count]
    if doubtful:
        cells.update(source.cells(doubtful, as_text=doubtful))


def _asked(
    source: Source, target: Sequence[str], choices: Choices
) -> tuple[dict[str, Asked], dict[str, str]]:
    """Return what is asked of each column to be examined, and why each other one is left out.

    Raises DataError for columns that are not there, and for choices that contradict the target.
    """
    names, named = source.names, set(choices.named())
    check_columns(target, names, source.name, "targets")
    notations, formats = choices.notations(), choices.formats()
    categorical = set(choices.categorical)
    for what, wanted in (
        ("features", choices.features or ()),
        ("columns", (*choices.drop, *notations, *choices.categorical, *formats)),
    ):
        check_columns(wanted, names, source.name, what)
    for name in target:
        if name in named or name in choices.drop:
            raise DataError(
                f"{source.name}: {shown(name)} is the target, so it cannot be dropped or be a feature. "
                f"How a target is read is said by --target-as, or target_as= in Python."
            )
    out = dict.fromkeys(choices.drop, "it was dropped")
    index = names[:1] if choices.ignore_index else ()
    if index and (index[0] in named or index[0] in target):
        raise DataError(
            f"{source.name}: {shown(index[0])} cannot be the index and a feature or the target too."
        )
    for name in (*source.index_like, *index):
        if name not in named:
            out.setdefault(name, "it is the index of the rows")
    if choices.features is not None:
        chosen, among = choices.features, set(choices.features)
        out |= {
            name: "it is not among the features named"
            for name in names
            if name not in among and name not in out
        }
    else:
        chosen = [name for name in names if name not in out and name not in target]
    asked = {}
    for name in chosen:
        kind, notation = "", ""
        if name in notations:
            kind, notation = "number", notations[name]
        elif name in formats:
            kind, notation = "date", formats[name]
        elif name in categorical:
            kind = "category"
        asked[name] = Asked(kind, notation, kept=name in named)
    return asked, {name: why for name, why in out.items() if name not in target}


def _is_asked_as_text(asked: Asked, source: Source) -> bool:
    """Whether the texts of cells that are plain numbers are needed."""
    if asked.kind == "category":
        return True
    return not source.typed and (asked.kind == "date" or bool(asked.notation))


def _no_feature(source: Source, left_out: dict[str, str]) -> DataError:
    reasons = [f"{shown(name)}: {why}" for name, why in left_out.items()]
    more = f"; and {len(reasons) - FEATURELESS} more" if len(reasons) > FEATURELESS else ""
    said = f" {'; '.join(reasons[:FEATURELESS])}{more}." if reasons else ""
    return DataError(
        f"{source.name} has no column beside the target that is a feature; at least one is needed.{said}"
    )
