"""The columns of a table, as they were read, as parts of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...checks.quoting import counted, shown
from ...data.showing import contents_of
from ...showing import paragraph
from ...showing.page import folded, table

MOST_LISTED = 300
"""So many columns are listed: of a wide table the first ones."""

FEW = 30
"""A table of more columns is folded."""


def columns_parts(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a table of columns as `details_of` or `columns_of` return them."""
    lines = [
        (shown(one["name"]), one["kind"], one.get("missing"), contents_of(one))
        for one in columns[:MOST_LISTED]
    ]
    title = f"{counted(len(columns), 'column')}, as read"
    listed = table(title, ("column", "kind", "missing", "what is in it"), lines)
    if len(columns) > MOST_LISTED:
        listed += paragraph(f"The first {MOST_LISTED} of {len(columns):,}.")
    return [folded(title, listed) if len(columns) > FEW else listed]
