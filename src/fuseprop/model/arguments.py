"""What `train` is given, as a table and the arguments of a fitting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ..data import DataError, Table, load_table, suggestions_for
from ..data.choices import NONE, Choices
from ..data.dicts import as_columns
from ..data.errors import listed
from ..data.frames import frame_of
from ..data.target_cells import AUTO, Reading
from ..world import ALONE, Processes, agreeing, check_alike


def table_and_arguments(
    data: Any,
    target: Any = None,
    *,
    target_as: str = "auto",
    keep_as_class: Sequence[str] = (),
    any_size: bool = False,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    numeric: Sequence[str] = (),
    categorical: Sequence[str] = (),
    date: Sequence[str] = (),
    ignore_index: bool = False,
    missing: str = "encode",
    world: Processes = ALONE,
    **given: Any,
) -> tuple[Table, dict[str, Any]]:
    """Return the table that `train` makes of its arguments, and those of `Fitting`; raises as `train`."""
    choices = Choices(features, drop, numeric, categorical, date, ignore_index, missing)
    if world.size > 1:
        reading = {"target_as": target_as, "keep_as_class": list(keep_as_class), "any_size": any_size}
        check_alike(world, {"target": str(target), "columns": str(choices), **reading})
    table = _table(data, target, Reading(target_as, keep_as_class), choices, any_size, world)
    return table, {"missing": missing, **suggestions_for(data), **given}


def _table(
    data: Any, target: Any, reading: Reading, choices: Choices, any_size: bool, world: Processes
) -> Table:
    names = (target,) if isinstance(target, str) else target
    if isinstance(data, Table):
        if names not in (None, data.target_names) or reading != AUTO:
            raise DataError(
                f"{data.source} has its target already: it is chosen and read where a Table is made."
            )
        if replace(choices, missing=NONE.missing) != NONE:
            raise DataError(
                f"{data.source} has its columns already: they are chosen and read where a Table is made."
            )
        if world not in (ALONE, data.world):
            raise DataError(f"{data.source} was made without this world: give it where a Table is made.")
        return data
    columns = as_columns(data, world)
    with agreeing(world):
        frame = frame_of(columns)
    if len(set(world.gathered(frame is None))) > 1:
        raise DataError("expected a frame in all processes, or the path of a file in all, got both.")
    keywords: Any = {**choices.keywords(), **reading.keywords()}
    if frame is None:
        return load_table(data, names, any_size=any_size, world=world, **keywords)
    if names is None:
        raise DataError(
            f"which column is the target? Name it: target=. Columns there: {listed(frame.names)}."
        )
    # A label of any type may name the target, such as a column's number.
    wanted = tuple(names) if isinstance(names, Iterable) else (str(names),)
    keywords["feature_names"] = keywords.pop("features")
    return Table.of(replace(frame, named=True), target_names=wanted, world=world, **keywords)
