"""fuseprop inspect DATA: prints what the columns of a table are, and what they hold."""

from __future__ import annotations

from pathlib import Path

import click

from ..checks.quoting import counted, shown
from ..data import Table, is_file_name, load_table
from ..data.assembling import assemble
from ..data.choices import Choices
from ..data.files import open_source
from ..data.showing import detailed_lines, details_of
from ..data.target_cells import AUTO
from .output import echo, echo_json
from .parameters import any_size, columns, data
from .parameters import target as target_option


@click.command()
@data
@target_option("Target columns, which are shown as such [none].")
@columns
@any_size
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def inspect(
    data: tuple[str, ...],
    target: tuple[str, ...] | None,
    choices: Choices,
    any_size: bool,
    json_: bool,
) -> None:
    """Show the columns of DATA as train would read them: kinds, missing values, quartiles, frequent texts.

    DATA is what train takes; the target may be named. A column that train would refuse is shown with the
    reason, and one that it would leave out too.
    """
    refused: dict[str, str] = {}
    table = _table(data, target, choices, refused, any_size=any_size)
    found = [
        *details_of(table),
        *({"name": name, "kind": "refused", "why": why} for name, why in refused.items()),
    ]
    rows = len(table) + table.without_target
    if json_:
        echo_json({"data": table.source, "rows": rows, "columns": found, "notes": list(table.notes)})
        return
    kinds = [one["kind"] for one in found]
    title = f"{shown(table.source, None)}: {counted(rows, 'row')}, {counted(len(found), 'column')}"
    for kind in ("left out", "refused"):
        title += f", {kinds.count(kind):,} of them {kind}" if kind in kinds else ""
    echo("\n".join([title, *detailed_lines(found), *table.notes]))


def _table(
    data: tuple[str, ...],
    target: tuple[str, ...] | None,
    choices: Choices,
    refused: dict[str, str],
    *,
    any_size: bool,
) -> Table:
    """Return the table in the data; put the columns of files that are refused into `refused`."""
    if is_file_name(data[0]) and Path(data[0]).suffix.lower() != ".npz":
        source = open_source(data, any_size=any_size)
        return Table.holding(assemble(source, target, choices, AUTO, refused))
    return load_table(data, target, any_size=any_size, **choices.keywords())
